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
    }

    private let state = Mutex(State())
    private let waker: any Waker

    init(waker: any Waker) {
        self.waker = waker
    }

    func post(_ job: @escaping Job) {
        let wasAnnounced = state.withLock { state in
            state.jobs.append(job)
            defer { state.isAnnounced = true }
            return state.isAnnounced
        }
        if !wasAnnounced { waker.wake() }
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
