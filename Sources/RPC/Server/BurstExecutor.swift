import NetPoll
import Synchronization

/// Runs tasks on the threads of the global pool, a burst of jobs at a time.
///
/// The global pool is woken for every job. Here the first job of a burst wakes one of its threads,
/// which runs what waits, one job after another; it wakes a further one while more waits and a core
/// may be free. So a burst of short handlers costs one wake or two. A job that comes while another
/// takes its time would wait for that one's end: a thread that watches the queue, as long as there
/// is one, wakes a further thread of the pool where nothing moved for ``watchMicroseconds``.
final class BurstExecutor: TaskExecutor {
    static let shared = BurstExecutor(
        threadsMax: max(2, EventLoopGroup.Configuration().loops))

    private struct State {
        var jobs = JobQueue()
        /// Runners that do not wait in ``idle``.
        var running = 0
        /// Runners that wait to be woken.
        var idle: [UnsafeContinuation<Void, Never>] = []
        /// How many jobs were begun.
        var begun = 0
        var isWatched = false
    }

    /// How long a job may wait while a thread of the pool may be free.
    private static let watchMicroseconds = 1_000
    /// How often the watch looks at an empty queue before it rests.
    private static let idleLooksMax = 100

    private enum Wake {
        case none
        case idle(UnsafeContinuation<Void, Never>)
        case new
    }

    private let threadsMax: Int
    private let state = Mutex(State())
    private let watched = Semaphore()

    init(threadsMax: Int) {
        self.threadsMax = threadsMax
        // Both live as long as the process, as the pool's own threads do.
        do throws(SystemError) {
            try LoopThread.start { self.watch() }
        } catch {
            // No thread to be had: jobs may wait for one another.
            state.withLock { $0.isWatched = true }
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let (wake, watches) = state.withLock { state -> (Wake, Bool) in
            state.jobs.push(job)
            guard state.running > 0 else { return (Self.begin(&state), false) }
            guard !state.isWatched, state.running < threadsMax else { return (.none, false) }
            state.isWatched = true
            return (.none, true)
        }
        if watches { watched.signal() }
        carryOut(wake)
    }

    private func watch() {
        while true {
            watched.wait()
            var begun = -1
            var idleLooks = 0
            while idleLooks < Self.idleLooksMax {
                let wake = state.withLock { state -> Wake in
                    defer { begun = state.begun }
                    guard !state.jobs.isEmpty else {
                        idleLooks += 1
                        if idleLooks == Self.idleLooksMax { state.isWatched = false }
                        return .none
                    }
                    idleLooks = 0
                    guard state.begun == begun, state.running < threadsMax else { return .none }
                    return Self.begin(&state)
                }
                carryOut(wake)
                LoopThread.pause(microseconds: Self.watchMicroseconds)
            }
        }
    }

    private static func begin(_ state: inout State) -> Wake {
        state.running += 1
        if let runner = state.idle.popLast() { return .idle(runner) }
        return .new
    }

    private func carryOut(_ wake: Wake) {
        switch wake {
        case .none: break
        case .idle(let runner): runner.resume()
        // It lives as long as this executor, as one of at most `threadsMax`.
        case .new: Task.detached { await self.run() }
        }
    }

    private func run() async {
        while true {
            runJobs()
            await withUnsafeContinuation { (runner: UnsafeContinuation<Void, Never>) in
                let hasWork = state.withLock { state in
                    // A job may have come since the last look.
                    guard state.jobs.isEmpty else { return true }
                    state.running -= 1
                    state.idle.append(runner)
                    return false
                }
                if hasWork { runner.resume() }
            }
        }
    }

    private func runJobs() {
        while true {
            let (job, wake) = state.withLock { state -> (UnownedJob?, Wake) in
                guard let job = state.jobs.pop() else { return (nil, .none) }
                state.begun &+= 1
                guard !state.jobs.isEmpty, state.running < threadsMax else { return (job, .none) }
                return (job, Self.begin(&state))
            }
            carryOut(wake)
            guard let job else { return }
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}

/// Jobs, first in, first out; a ring that doubles when it is full and is then kept.
private struct JobQueue: Sendable {
    private var ring: [UnownedJob?] = .init(repeating: nil, count: 64)
    private var first = 0
    private var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func push(_ job: UnownedJob) {
        if count == ring.count {
            let ordered = ring[first...] + ring[..<first]
            ring = Array(ordered) + .init(repeating: nil, count: count)
            first = 0
        }
        ring[(first + count) & (ring.count - 1)] = job
        count += 1
    }

    mutating func pop() -> UnownedJob? {
        guard count > 0 else { return nil }
        defer {
            first = (first + 1) & (ring.count - 1)
            count -= 1
        }
        return ring[first]
    }
}
