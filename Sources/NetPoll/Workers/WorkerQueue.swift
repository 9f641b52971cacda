/// Decides what a pool's threads do; runs nothing itself.
struct WorkerQueue: Sendable {
    struct Job: Sendable {
        let id: UInt64
        let run: @Sendable () -> Void
        /// Tells who waits that the job will not run.
        let drop: @Sendable (any Error) -> Void
    }

    enum OnAdd: Sendable {
        case taken
        case inPlace
        case cancelled
        case refused(WorkerPoolError)
    }

    enum OnNext: Sendable {
        case run(Job)
        case wait
        case end
    }

    private(set) var metrics = WorkerPool.Metrics()
    /// From `first` on all are there; those before were taken.
    private var jobs: [Job?] = []
    private var first = 0
    private var nextID: UInt64 = 0
    /// Named and not added yet; a task may be cancelled meanwhile.
    private var expected: Set<UInt64> = []
    private var threads: Int
    private var isClosed = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    init(threads: Int) {
        self.threads = threads
    }

    mutating func takeID() -> UInt64 {
        nextID += 1
        expected.insert(nextID)
        return nextID
    }

    mutating func add(
        _ job: Job, _ configuration: WorkerPool.Configuration, mayWait: Bool
    ) -> OnAdd {
        guard expected.remove(job.id) != nil else {
            metrics.cancelled += 1
            return .cancelled
        }
        guard !isClosed else { return .refused(.shutdown) }
        let isFull =
            metrics.waiting >= configuration.queueMax
            && metrics.running + metrics.waiting >= configuration.threads
        if isFull {
            switch configuration.whenFull {
            case .wait where mayWait: break
            case .wait, .refuse:
                metrics.refused += 1
                return .refused(.full)
            case .runInPlace:
                metrics.ranInPlace += 1
                return .inPlace
            }
        }
        jobs.append(job)
        metrics.waiting += 1
        return .taken
    }

    /// Takes a job back that has not begun; `nil` where it has, or was not added yet.
    mutating func cancel(_ id: UInt64) -> Job? {
        if expected.remove(id) != nil { return nil }
        guard let index = jobs[first...].firstIndex(where: { $0?.id == id }) else { return nil }
        metrics.waiting -= 1
        metrics.cancelled += 1
        return jobs.remove(at: index)
    }

    mutating func next() -> OnNext {
        guard first < jobs.count, let job = jobs[first].take() else {
            return isClosed ? .end : .wait
        }
        first += 1
        // Compacted now and then, so that a queue that never empties stays bounded.
        if first > 64, first * 2 > jobs.count {
            jobs.removeFirst(first)
            first = 0
        }
        metrics.waiting -= 1
        metrics.running += 1
        return .run(job)
    }

    mutating func finished() {
        metrics.running -= 1
        metrics.finished += 1
    }

    /// - Returns: How many threads to wake, and whether all are gone already.
    mutating func close(
        _ waiter: CheckedContinuation<Void, Never>?
    ) -> (wake: Int, isOver: Bool) {
        let wake = isClosed ? 0 : threads
        isClosed = true
        guard threads > 0 else { return (0, true) }
        if let waiter { waiters.append(waiter) }
        return (wake, false)
    }

    /// - Returns: Who waited for the last thread, if this was it.
    mutating func threadEnded() -> [CheckedContinuation<Void, Never>] {
        threads -= 1
        guard threads == 0 else { return [] }
        defer { waiters = [] }
        return waiters
    }
}
