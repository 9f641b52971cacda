/// The limits and times of a pool.
///
/// The defaults suit a database or a service in the same data centre. All times are kept to the
/// resolution of the pool's clock.
public struct PoolConfiguration: Hashable, Sendable {
    /// Which idle connection is leased first.
    public enum IdleOrder: Hashable, Sendable {
        /// The one that was used last, so that those too many age out.
        case lifo
        /// The one that was idle for longest, so that all stay in use.
        case fifo
    }

    /// What becomes of a connection whose `withConnection` body throws.
    public enum ErrorPolicy: Hashable, Sendable {
        /// It is discarded: half an answer may still be on its way.
        case discard
        /// It goes back like any other: for protocols that stay in step across errors.
        case release
    }

    // MARK: - Size

    /// The most connections, those being dialled and closed included. Default 16.
    public var connectionsMax = 16
    /// How many idle connections are kept ready beyond those leased; dialled one at a time. These do
    /// not time out by idleness. Default 0.
    public var idleMin = 0
    /// Default ``IdleOrder/lifo``.
    public var idleOrder = IdleOrder.lifo
    /// How many leases one connection gives out at a time, until its connector says otherwise; more
    /// than 1 for protocols that multiplex. Default 1.
    public var leasesPerConnection = 1

    // MARK: - Waiting

    /// The most requests that wait for a connection; further ones fail with
    /// ``PoolError/Reason/queueFull``. Default 1,024.
    public var waitersMax = 1_024
    /// How long a request waits that brings no deadline. Default 30 s.
    public var leaseTimeout = Duration.seconds(30)
    /// Whether a request fails at once where, by what was measured so far, its deadline would come
    /// before its turn. Default `true`.
    public var failsFast = true

    // MARK: - Life of a connection

    /// How long a connection may be idle before it is closed; each lease starts it anew. `nil`: for
    /// ever. Default 5 minutes.
    public var idleTimeout: Duration? = .seconds(300)
    /// How long a connection may live before it is replaced, even where it is never idle. `nil`: for
    /// ever. Default 30 minutes.
    public var lifetimeMax: Duration? = .seconds(1_800)
    /// By what part each connection's lifetime is shortened at most, at random, so that those dialled
    /// together do not end together. Default 0.1.
    public var lifetimeJitter = 0.1
    /// How long before its end a connection's replacement is dialled, where the pool has room for
    /// both and nothing else is idle. Default 10 s.
    public var replacementLead = Duration.seconds(10)
    /// How long a connection may be quiet before its keepalive is run, if the connector has one; ±10 %
    /// at random. `nil`, the default: never.
    public var keepAliveInterval: Duration?
    /// How long a keepalive may take. Default 5 s.
    public var keepAliveTimeout = Duration.seconds(5)
    /// How long closing may take before the connection's place is given to another. Default 5 s.
    public var closeTimeout = Duration.seconds(5)
    /// Default ``ErrorPolicy/discard``.
    public var afterError = ErrorPolicy.discard

    // MARK: - Dialling

    /// The most dials at a time. Default 4.
    public var dialsMax = 4
    /// While other connections work: how long the first request in the queue waits for each further
    /// dial. A short burst that the connections at hand will serve does not cause many dials.
    /// Default 20 ms.
    public var dialStagger = Duration.milliseconds(20)
    /// How long one dial may take. Default 10 s.
    public var dialTimeout = Duration.seconds(10)
    /// The pause after a failed dial. Default: up to 100 ms, doubled with each failure up to 10 s.
    public var backoff = Backoff()
    /// When dials stop altogether but for a probe; `nil`: never.
    public var breaker: CircuitBreaker.Configuration? = .init()
    /// How many idle connections one request may find dead, or how often a request that is safe to
    /// repeat is repeated, before only fresh connections are trusted and then given up. Default 2.
    public var staleTriesMax = 2

    // MARK: - Debugging

    /// How long a lease may be out before ``PoolEvent/leaseOverdue(_:)`` reports where it was taken.
    /// `nil`, the default: no such record is kept.
    public var leakThreshold: Duration?

    public init() {}

    /// Traps on values that make no sense.
    func check() {
        precondition(connectionsMax > 0, "connectionsMax of \(connectionsMax)")
        precondition(connectionsMax <= 1 << 24, "connectionsMax of \(connectionsMax)")
        precondition(
            (0...connectionsMax).contains(idleMin), "idleMin of \(idleMin) of \(connectionsMax)")
        precondition(
            (1...Int(Int32.max)).contains(leasesPerConnection),
            "leasesPerConnection of \(leasesPerConnection)")
        precondition((0...1 << 24).contains(waitersMax), "waitersMax of \(waitersMax)")
        precondition(leaseTimeout > .zero, "leaseTimeout of \(leaseTimeout)")
        precondition((0...1).contains(lifetimeJitter), "lifetimeJitter of \(lifetimeJitter)")
        precondition(dialsMax > 0, "dialsMax of \(dialsMax)")
        precondition(staleTriesMax >= 0, "staleTriesMax of \(staleTriesMax)")
        let times = [
            ("idleTimeout", idleTimeout), ("lifetimeMax", lifetimeMax),
            ("keepAliveInterval", keepAliveInterval), ("keepAliveTimeout", keepAliveTimeout),
            ("closeTimeout", closeTimeout), ("dialStagger", dialStagger),
            ("dialTimeout", dialTimeout), ("leakThreshold", leakThreshold),
        ]
        for case (let name, let time?) in times where time <= .zero {
            preconditionFailure("\(name) of \(time)")
        }
        precondition(replacementLead >= .zero, "replacementLead of \(replacementLead)")
    }
}
