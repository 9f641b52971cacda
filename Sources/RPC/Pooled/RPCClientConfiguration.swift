public import ConnPool
public import NetPoll

/// Bounds, times and policies of an ``RPCClient``.
public struct RPCClientConfiguration: Sendable {
    /// Of each connection. Its ``RPCConfiguration/outgoingCallsMax`` is what a connection takes at a
    /// time, its ``RPCConfiguration/callTimeout`` bounds each call with all its attempts.
    public var connection = RPCConfiguration()
    /// Balancing, ejection, and each endpoint's pool: dials with backoff and breaker, idle and life
    /// times. Calls share connections, so few are made: at most 4 for each endpoint by default, and a
    /// second one only when the first takes no more calls.
    public var pool: EndpointPoolConfiguration = {
        var pool = EndpointPoolConfiguration()
        pool.pool.connectionsMax = 4
        return pool
    }()
    /// The most calls in flight, streams included, over all connections. From 1 to 16,777,216,
    /// default 4,096.
    public var callsMax = 4_096
    /// What a call does that finds so many. Default: 4,096 calls wait, each until its deadline.
    public var whenFull = RPCConfiguration.FullPolicy.wait(callsMax: 4_096)
    /// When a unary call is attempted again. Default: on, up to 3 attempts, where that is safe; `nil`:
    /// never.
    public var retry: RetryPolicy? = RetryPolicy()
    /// When a unary call is attempted twice at a time. Default `nil`: never.
    public var hedging: HedgingPolicy?
    /// When nothing is called any more for a while. Default `nil`: that never happens.
    public var breaker: ErrorRateBreaking?
    /// What counts as a failure of the endpoint, for ejection and ``breaker``, where the call may have
    /// run. Default: ``StatusCode/unavailable`` and ``StatusCode/deadlineExceeded``.
    public var failures: Set<StatusCode> = [.unavailable, .deadlineExceeded]
    /// What goes around every call, the first one outermost. Default: nothing.
    public var interceptors: [any RPCInterceptor] = []
    /// How sockets are connected; limits are those of ``connection``, and so is keepalive where this
    /// says nothing of it.
    public var connecting = ConnectConfiguration()
    /// Finds the addresses of hosts. Default: the system's.
    public var resolver: any Resolver = SystemResolver.shared

    public init() {}

    /// Traps on values that make no sense.
    func check() {
        // The pool's waiters are as many at most.
        precondition((1...1 << 24).contains(callsMax), "at most \(callsMax) calls in flight")
        whenFull.check()
        connection.check()
        precondition(connecting.timeout > .zero, "connecting in \(connecting.timeout)")
        retry?.check()
        hedging?.check()
        breaker?.check()
    }

    /// The pool's, with what follows from the rest.
    var endpoints: EndpointPoolConfiguration {
        var endpoints = pool
        endpoints.pool.leasesPerConnection = connection.outgoingCallsMax
        // Calls are bounded before they come there.
        endpoints.pool.waitersMax = max(endpoints.pool.waitersMax, callsMax)
        endpoints.pool.dialTimeout = min(endpoints.pool.dialTimeout, connecting.timeout)
        return endpoints
    }
}
