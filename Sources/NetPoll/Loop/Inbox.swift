import Synchronization

/// The one way into a loop from other threads: jobs in the order they were posted.
///
/// A burst of posts costs one wakeup: only the post that finds the inbox unannounced wakes the
/// loop, and the loop takes the whole batch under one lock.
final class Inbox: Sendable {
    typealias Job = @Sendable () -> Void

    private struct State {
        var jobs: [Job] = []
        var isAnnounced = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let waker: any Waker

    init(waker: any Waker) {
        self.waker = waker
    }

    /// - Returns: Whether the job will run: `false` once the inbox is closed.
    func post(_ job: @escaping Job) -> Bool {
        let (isTaken, wasAnnounced) = state.withLock { state in
            guard !state.isClosed else { return (false, true) }
            state.jobs.append(job)
            defer { state.isAnnounced = true }
            return (true, state.isAnnounced)
        }
        if !wasAnnounced { waker.wake() }
        return isTaken
    }

    /// Closes the inbox if it is empty, so that every job taken before will have run.
    func closeIfEmpty() -> Bool {
        state.withLock { state in
            guard state.jobs.isEmpty else { return false }
            state.isClosed = true
            return true
        }
    }

    /// Takes everything posted so far; `jobs` is emptied and its memory reused.
    func take(into jobs: inout [Job]) {
        jobs.removeAll(keepingCapacity: true)
        state.withLock { state in
            swap(&state.jobs, &jobs)
            state.isAnnounced = false
        }
    }

    var isEmpty: Bool { state.withLock { $0.jobs.isEmpty } }
}
