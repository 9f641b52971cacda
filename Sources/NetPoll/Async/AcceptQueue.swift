import Synchronization

/// Connections that were accepted and not yet taken by a task; shared by the listeners of a port.
package final class AcceptQueue<Accepted: Sendable>: Sendable {
    package typealias Taker = UnsafeContinuation<Accepted?, Never>

    private struct State {
        var waiting: [Accepted] = []
        var first = 0
        var taker: Taker?
        var isFinished = false
        var isHeld = false
        /// Nobody will take any more.
        var isAbandoned = false
    }

    /// Connections that may wait before the listeners stop accepting.
    package static var waitingMax: Int { 1_024 }

    private let state = Mutex(State())

    private let discard: @Sendable (Accepted) -> Void

    /// - Parameter discard: Ends what nobody takes any more.
    package init(discard: @escaping @Sendable (Accepted) -> Void = { _ in }) {
        self.discard = discard
    }

    /// Whether another connection may be pushed without going beyond the bound.
    package var hasRoom: Bool {
        state.withLock { !$0.isFinished && $0.waiting.count - $0.first < Self.waitingMax }
    }

    /// Whether the listeners should not accept for now.
    package var isHeld: Bool { state.withLock { $0.isHeld } }

    /// - Returns: Whether the listeners should stop accepting for now.
    @discardableResult
    package func push(_ connection: Accepted) -> Bool {
        let (taker, isFull, isAbandoned) = state.withLock { state -> (Taker?, Bool, Bool) in
            guard !state.isAbandoned else { return (nil, false, true) }
            if let taker = state.taker {
                state.taker = nil
                return (taker, false, false)
            }
            state.waiting.append(connection)
            let isFull = state.waiting.count - state.first >= Self.waitingMax
            if isFull { state.isHeld = true }
            return (nil, isFull, false)
        }
        if isAbandoned { discard(connection) }
        taker?.resume(returning: connection)
        return isFull
    }

    /// Nobody takes connections any more: those that wait, and those to come, are
    /// discarded.
    package func abandon() {
        let orphans = state.withLock { state in
            state.isAbandoned = true
            defer { state.waiting = [] }
            return Array(state.waiting[state.first...])
        }
        for orphan in orphans { discard(orphan) }
    }

    /// Nothing more will be pushed.
    package func finish() {
        let taker = state.withLock { state -> Taker? in
            state.isFinished = true
            defer { state.taker = nil }
            return state.taker
        }
        taker?.resume(returning: nil)
    }

    /// Gives the next connection to `taker`, or `nil` once the queue is finished and empty.
    ///
    /// - Returns: Whether the listeners should accept again.
    @discardableResult
    package func take(_ taker: Taker) -> Bool {
        let (connection, isAnswered, isReleased) = state.withLock { state in
            guard state.first < state.waiting.count else {
                if !state.isFinished {
                    precondition(state.taker == nil, "two tasks take from one listener at once")
                    state.taker = taker
                }
                return (nil as Accepted?, state.isFinished, false)
            }
            let connection = state.waiting[state.first]
            state.first += 1
            if state.first == state.waiting.count {
                state.waiting.removeAll(keepingCapacity: true)
                state.first = 0
            } else if state.first >= Self.waitingMax {
                // A queue that is never empty must not keep all that were taken from it.
                state.waiting.removeFirst(state.first)
                state.first = 0
            }
            guard state.isHeld, state.waiting.isEmpty else { return (connection, true, false) }
            state.isHeld = false
            return (connection, true, true)
        }
        if isAnswered { taker.resume(returning: connection) }
        return isReleased
    }
}
