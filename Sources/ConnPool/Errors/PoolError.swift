/// A request got no connection; says what it waited for.
public struct PoolError: Error, Sendable {
    /// What went wrong.
    public enum Reason: Hashable, Sendable {
        /// The deadline came first.
        case timedOut
        /// By what was measured, the deadline would come before the request's turn; nothing was
        /// waited for. See ``PoolConfiguration/failsFast``.
        case deadlineTooShort(predictedWait: Duration)
        /// ``PoolConfiguration/waitersMax`` requests wait already.
        case queueFull
        /// The task that asked was cancelled.
        case cancelled
        /// The pool is being drained: it gives no more leases.
        case draining
        /// The pool is closed.
        case closed
    }

    public let reason: Reason
    /// How long the request waited.
    public let waited: Duration
    /// How many requests stood in the queue when this one joined it, itself included; `nil` where it
    /// did not.
    public let queuePosition: Int?
    /// The pool's state when the request failed.
    public let pool: PoolSnapshot
    /// Why the last dial failed, where none has succeeded since.
    public let lastDialError: (any Error)?
}

extension PoolError: CustomStringConvertible {
    public var description: String {
        var text =
            switch reason {
            case .timedOut: "no connection within the deadline"
            case .deadlineTooShort(let wait):
                "no connection is likely within the deadline: expected wait at least \(wait)"
            case .queueFull: "\(pool.waiters) requests wait already"
            case .cancelled: "the request was cancelled"
            case .draining: "the pool is being drained"
            case .closed: "the pool is closed"
            }
        if waited > .zero { text += "; waited \(waited)" }
        if let queuePosition { text += "; joined the queue as number \(queuePosition)" }
        text += "; \(pool)"
        if let lastDialError { text += "; the last dial failed: \(lastDialError)" }
        return text
    }
}
