internal import Synchronization

/// Hands a pool's events to those who listen.
final class EventHub: Sendable {
    /// Events that may wait for one listener; the oldest go first beyond it.
    static var waitingMax: Int { 1_024 }

    private struct State {
        var listeners: [Int: AsyncStream<PoolEvent>.Continuation] = [:]
        var next = 0
        var dropped = 0
        var isFinished = false
    }

    private let state = Mutex(State())
    /// Whether anybody listens; a hint, to spare those who would tell.
    private let listens = Atomic<Bool>(false)

    var isHeard: Bool { listens.load(ordering: .relaxed) }

    /// Events that were lost because a listener was slow.
    var dropped: Int { state.withLock { $0.dropped } }

    func makeStream() -> AsyncStream<PoolEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PoolEvent.self, bufferingPolicy: .bufferingNewest(Self.waitingMax))
        let key = state.withLock { state -> Int? in
            guard !state.isFinished else { return nil }
            state.next += 1
            state.listeners[state.next] = continuation
            listens.store(true, ordering: .relaxed)
            return state.next
        }
        guard let key else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.remove(key) }
        return stream
    }

    func tell(_ event: PoolEvent) {
        guard isHeard else { return }
        let listeners = state.withLock { Array($0.listeners.values) }
        var lost = 0
        for listener in listeners {
            if case .dropped = listener.yield(event) { lost += 1 }
        }
        if lost > 0 { state.withLock { $0.dropped += lost } }
    }

    /// Nothing more happens.
    func finish() {
        let listeners = state.withLock { state in
            state.isFinished = true
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }

    private func remove(_ key: Int) {
        state.withLock { state in
            state.listeners[key] = nil
            listens.store(!state.listeners.isEmpty, ordering: .relaxed)
        }
    }
}
