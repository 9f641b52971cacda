import Synchronization

// What one writes in an afternoon, for comparison: no limits, deadlines, cancellation or health.

/// A pool that is an actor.
actor ActorPool: Subject {
    nonisolated let name = "an actor"
    private var idle: [Link]
    private var waiters: [UnsafeContinuation<Link, Never>] = []

    init(connections: Int) {
        idle = (0..<connections).map { _ in Link() }
    }

    func lease() async -> Link {
        if let link = idle.popLast() { return link }
        return await withUnsafeContinuation { waiters.append($0) }
    }

    func release(_ link: Link) {
        if waiters.isEmpty {
            idle.append(link)
        } else {
            waiters.removeFirst().resume(returning: link)
        }
    }

    nonisolated func cycle(holds: Bool) async -> ContinuousClock.Instant {
        let link = await lease()
        let now = ContinuousClock.now
        if holds { await Task.yield() }
        await release(link)
        return now
    }
}

/// A pool that is a lock around a list and a queue.
final class MutexPool: Subject {
    private struct State {
        var idle: [Link]
        var waiters: [UnsafeContinuation<Link, Never>] = []
        var first = 0
    }

    let name = "a mutex and a queue"
    private let state: Mutex<State>

    init(connections: Int) {
        state = Mutex(State(idle: (0..<connections).map { _ in Link() }))
    }

    private func lease() async -> Link {
        if let link = state.withLock({ $0.idle.popLast() }) { return link }
        return await withUnsafeContinuation { continuation in
            let link = state.withLock { state -> Link? in
                if let link = state.idle.popLast() { return link }
                state.waiters.append(continuation)
                return nil
            }
            if let link { continuation.resume(returning: link) }
        }
    }

    private func release(_ link: Link) {
        let waiter = state.withLock { state -> UnsafeContinuation<Link, Never>? in
            guard state.first < state.waiters.count else {
                state.idle.append(link)
                return nil
            }
            let waiter = state.waiters[state.first]
            state.first += 1
            if state.first == state.waiters.count || state.first == 1_024 {
                state.waiters.removeFirst(state.first)
                state.first = 0
            }
            return waiter
        }
        waiter?.resume(returning: link)
    }

    func cycle(holds: Bool) async -> ContinuousClock.Instant {
        let link = await lease()
        let now = ContinuousClock.now
        if holds { await Task.yield() }
        release(link)
        return now
    }
}
