/// Chooses the endpoint of a lease.
///
/// A policy is a value: it reads no clock and owns no random source. Its owner serialises the calls
/// and makes them in this order: ``changed(_:)`` before the first ``pick(_:from:using:)`` and
/// whenever endpoints come, go, or begin or cease to be available; ``loadChanged(of:in:)`` whenever
/// one's leases in flight or its ramp change, also after each pick.
///
/// What each pick costs is said at each policy; none allocates. Changes of the endpoints may cost
/// O(endpoints) and may allocate.
public protocol BalancingPolicy: Sendable {
    /// The endpoints are others, or others of them are available.
    mutating func changed(_ candidates: BalancingCandidates)

    /// What is in flight at one endpoint changed, or its ramp.
    mutating func loadChanged(of slot: Int, in candidates: BalancingCandidates)

    /// Chooses one of those available that the request does not exclude.
    ///
    /// - Returns: Its slot, or `nil` where there is none.
    mutating func pick(
        _ request: BalancingRequest,
        from candidates: BalancingCandidates,
        using random: inout some RandomNumberGenerator
    ) -> Int?
}

extension BalancingPolicy {
    public mutating func loadChanged(of slot: Int, in candidates: BalancingCandidates) {}
}

/// What an endpoint is chosen for.
public struct BalancingRequest: Sendable {
    /// The most endpoints that one request can exclude.
    public static var excludedMax: Int { 8 }

    /// What the lease is to be kept together with; only consistent hashing asks.
    public var key: AffinityKey?
    private var excluded: InlineArray<8, Int32> = .init(repeating: -1)
    /// How many endpoints are excluded.
    public private(set) var excludedCount = 0

    public init(key: AffinityKey? = nil) {
        self.key = key
    }

    /// Whether the endpoint was tried for this request already.
    public func excludes(_ slot: Int) -> Bool {
        for index in 0..<excludedCount where excluded[index] == Int32(truncatingIfNeeded: slot) {
            return true
        }
        return false
    }

    /// Excludes an endpoint that was tried in vain.
    ///
    /// - Precondition: Fewer than ``excludedMax`` are excluded.
    public mutating func exclude(_ slot: Int) {
        precondition(
            excludedCount < Self.excludedMax, "a request excludes at most \(Self.excludedMax)")
        excluded[excludedCount] = Int32(truncatingIfNeeded: slot)
        excludedCount += 1
    }
}

extension BalancingCandidates {
    /// How often a policy draws again before it takes what it has, or looks at all.
    static var drawsMax: Int { 16 }

    /// The first endpoint from `index` of ``available`` on, round to its beginning, that the
    /// request does not exclude. O(excluded).
    func firstAllowed(from index: Int, for request: BalancingRequest) -> Int? {
        guard !available.isEmpty else { return nil }
        // One more than are excluded is enough to meet another.
        for step in 0..<min(available.count, request.excludedCount + 1) {
            let slot = available[(index + step) % available.count]
            if !request.excludes(slot) { return slot }
        }
        return nil
    }
}
