/// How leases are spread over endpoints.
public struct BalancingConfiguration: Sendable {
    /// Which endpoint a lease goes to; the one with the fewest leases in flight by default.
    public var policy: any BalancingPolicy = .leastInFlight
    /// When an endpoint is left out for a while; Envoy's rules by default, `nil` for never.
    public var ejection: OutlierEjection? = OutlierEjection()
    /// How an endpoint that comes, or comes back, gets to its full share; `nil`, the default, for at
    /// once.
    public var slowStart: SlowStart?
    /// When less than this share of the endpoints is not ejected, ejections are disregarded, as the
    /// rest could not bear the load and the fault is likely not the endpoints'; 0.5 by default, and
    /// 0 for only when all are ejected.
    public var panicShare = 0.5

    public init() {}
}
