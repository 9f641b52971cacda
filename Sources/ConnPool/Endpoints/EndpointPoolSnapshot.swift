/// What an ``EndpointPool`` holds at one moment.
public struct EndpointPoolSnapshot: Hashable, Sendable {
    /// One endpoint.
    public struct Entry: Hashable, Sendable {
        public let endpoint: Endpoint
        /// Leases that are out or waited for.
        public let inFlight: Int
        /// For how long it is ejected yet; `nil` where it is not.
        public let ejectedFor: Duration?
        /// How much of its share it may have: 1, or less while it starts slowly.
        public let ramp: Double
        /// Its connections, and what its breaker does.
        public let pool: PoolSnapshot
    }

    /// The endpoints, by name.
    public let entries: [Entry]
    /// Whether ejections are disregarded, as too few endpoints would be left; see
    /// ``BalancingConfiguration/panicShare``.
    public let isPanicking: Bool
    /// Ejections so far.
    public let ejections: Int
    /// How often a request turned to another endpoint so far, having waited in vain.
    public let failovers: Int
    /// How often an endpoint was passed over so far, as it was out of reach.
    public let passedOver: Int
}
