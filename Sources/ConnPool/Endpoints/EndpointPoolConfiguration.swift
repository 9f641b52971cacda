/// The limits and times of an ``EndpointPool``.
public struct EndpointPoolConfiguration: Sendable {
    /// How leases are spread over the endpoints.
    public var balancing = BalancingConfiguration()
    /// The limits and times of each endpoint's own pool.
    public var pool = PoolConfiguration()
    /// How many other endpoints a request may turn to, where it waited in vain; 2 by default, and
    /// ``failoversLimit`` at most.
    public var failoversMax = 2
    /// How long a request waits at one endpoint before it turns to another, if one is left; 1 s by
    /// default. At the last it waits for all that is left of its deadline.
    public var failoverDelay = Duration.seconds(1)
    /// Which errors of a `withConnection` body say that the endpoint failed, for ejection. By
    /// default none; a connection that was reported as closed counts in any case.
    public var isFailure: (@Sendable (any Error) -> Bool)?

    /// The most ``failoversMax`` can be: 7.
    public static var failoversLimit: Int { BalancingRequest.excludedMax - 1 }

    public init() {}

    func check() {
        precondition(
            (0...Self.failoversLimit).contains(failoversMax), "failoversMax of \(failoversMax)")
        precondition(failoverDelay > .zero, "failoverDelay of \(failoverDelay)")
    }
}
