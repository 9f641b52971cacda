/// A request got a connection at no endpoint; says where it was tried and what came of it.
public struct EndpointPoolError: Error, Sendable {
    /// What went wrong.
    public enum Reason: Hashable, Sendable {
        /// The pool has no endpoint.
        case noEndpoints
        /// None of the endpoints that were tried had a connection in time.
        case exhausted
        /// The task that asked was cancelled.
        case cancelled
        /// The pool is being drained or closed.
        case closed
    }

    /// One endpoint that was tried.
    public struct Attempt: Sendable {
        /// The endpoint's name.
        public let endpoint: String
        /// What came of it.
        public let error: PoolError
    }

    public let reason: Reason
    /// Where a connection was waited for, in this order.
    public let attempts: [Attempt]
    /// How many endpoints were passed over, as they were known to be out of reach.
    public let passedOver: Int
}

extension EndpointPoolError: CustomStringConvertible {
    public var description: String {
        var text =
            switch reason {
            case .noEndpoints: "there is no endpoint"
            case .exhausted: "no connection at \(attempts.count) endpoints"
            case .cancelled: "the request was cancelled"
            case .closed: "the pool is closed"
            }
        if passedOver > 0 { text += ", \(passedOver) out of reach" }
        for attempt in attempts { text += "; \(attempt.endpoint): \(attempt.error)" }
        return text
    }
}
