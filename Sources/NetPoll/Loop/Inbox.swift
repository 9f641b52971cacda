import Synchronization

/// The one way into a loop from other threads: jobs in the order they were posted.
///
/// A burst of posts costs one wakeup: only the post that finds the inbox unannounced wakes the
/// loop, and the loop takes the whole batch under one lock.
final class Inbox: Sendable {
    /// Something to run on the loop.
    enum Job: Sendable {
        case call(@Sendable () -> Void)
        case task(LoopJob)
    }

    private struct State {
        var jobs: [Job] = []
        var isClosed = false
        /// Tells the time of the oldest job that waits, where somebody wants to know.
        var clock: (@Sendable () -> Instant)?
        var since: Instant?
        /// Jobs of tasks that came after the inbox was closed.
        var late: [LoopJob] = []
        var firstLate = 0
        var runsLate = false
    }

    private let state = Mutex(State())
    /// Whether there are jobs: changed under the lock, and read without it in every turn. A post
    /// that is not seen here yet wakes the loop afterwards.
    private let isAnnounced = Atomic(false)
    private let waker: any Waker

    init(waker: any Waker) {
        self.waker = waker
    }

    /// - Returns: Whether the job will run: `false` once the inbox is closed.
    func post(_ job: @escaping @Sendable () -> Void) -> Bool { post(.call(job)) }

    /// - Returns: Whether the job was taken: `false` once the inbox is closed.
    func post(_ job: LoopJob) -> Bool { post(.task(job)) }

    private func post(_ job: Job) -> Bool {
        let (isTaken, wasAnnounced) = state.withLock { state in
            guard !state.isClosed else { return (false, true) }
            state.jobs.append(job)
            if state.since == nil, let clock = state.clock { state.since = clock() }
            return (true, isAnnounced.exchange(true, ordering: .sequentiallyConsistent))
        }
        if !wasAnnounced { waker.wake() }
        return isTaken
    }

    /// Refuses what is posted from now on. Jobs of tasks are late from here on, and the caller sees to
    /// them until ``endLate(_:)``.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.runsLate = true
        }
    }

    /// Takes everything posted so far; `jobs` is emptied and its memory reused.
    ///
    /// - Returns: When the first of it was posted; `nil` unless ``stamp(_:)`` asked for that.
    func take(into jobs: inout [Job]) -> Instant? {
        jobs.removeAll(keepingCapacity: true)
        return state.withLock { state in
            swap(&state.jobs, &jobs)
            isAnnounced.store(false, ordering: .sequentiallyConsistent)
            defer { state.since = nil }
            return state.since
        }
    }

    /// From now on notes by this clock when jobs are posted.
    func stamp(_ clock: (@Sendable () -> Instant)?) {
        state.withLock { $0.clock = clock }
    }

    var isEmpty: Bool { !isAnnounced.load(ordering: .sequentiallyConsistent) }

    // MARK: - After the loop

    /// Keeps a job that came too late.
    ///
    /// - Returns: Whether the caller has to see to it that late jobs are run: nobody does so now.
    func addLate(_ job: LoopJob) -> Bool {
        state.withLock { state in
            state.late.append(job)
            defer { state.runsLate = true }
            return !state.runsLate
        }
    }

    func takeLate() -> LoopJob? {
        state.withLock { state in
            guard state.firstLate < state.late.count else { return nil }
            let job = state.late[state.firstLate]
            state.firstLate += 1
            if state.firstLate == state.late.count {
                state.late = []
                state.firstLate = 0
            }
            return job
        }
    }

    /// Ends running late jobs if there are none; calls `then` before another thread can begin.
    func endLate(_ then: () -> Void) -> Bool {
        state.withLock { state in
            guard state.late.isEmpty else { return false }
            state.runsLate = false
            then()
            return true
        }
    }
}
