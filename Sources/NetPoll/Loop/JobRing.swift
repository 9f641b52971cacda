/// A piece of a task that is to run on a loop.
struct LoopJob: Sendable {
    let job: UnownedJob
    /// Whether it is an actor's that lives on the loop, or a task's that prefers the loop.
    ///
    /// A job has to be run as what it was enqueued as: otherwise the runtime finds it on another
    /// executor than it wants, and enqueues it once more.
    let isActors: Bool
}

/// The jobs of tasks that wait to be run on a loop, first in, first out.
///
/// A ring that doubles when it is full and is then kept: pushing allocates nothing in steady state.
struct JobRing: ~Copyable {
    private var jobs: UnsafeMutablePointer<LoopJob>
    private var capacity = 64
    private var first = 0

    /// How many wait.
    private(set) var count = 0

    init() {
        jobs = .allocate(capacity: capacity)
    }

    // Jobs are trivial: what is left is not released but forgotten.
    deinit { jobs.deallocate() }

    var isEmpty: Bool { count == 0 }

    mutating func push(_ job: LoopJob) {
        if count == capacity { grow() }
        (jobs + ((first + count) & (capacity - 1))).initialize(to: job)
        count += 1
    }

    /// Takes the job that waited longest.
    mutating func pop() -> LoopJob? {
        guard count > 0 else { return nil }
        let job = jobs[first]
        first = (first + 1) & (capacity - 1)
        count -= 1
        return job
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<LoopJob>.allocate(capacity: capacity * 2)
        for index in 0..<count {
            (larger + index).initialize(to: jobs[(first + index) & (capacity - 1)])
        }
        jobs.deallocate()
        jobs = larger
        first = 0
        capacity *= 2
    }
}
