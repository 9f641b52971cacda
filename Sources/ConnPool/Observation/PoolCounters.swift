/// What a pool did since it was made; each only grows.
public struct PoolCounters: Hashable, Sendable {
    /// Leases given.
    public internal(set) var leased = 0
    /// Leases given without waiting, included in ``leased``.
    public internal(set) var leasedAtOnce = 0
    /// Leases that came back, by whatever way.
    public internal(set) var returned = 0
    /// Requests whose deadline came first.
    public internal(set) var timedOut = 0
    /// Requests whose task was cancelled while they waited.
    public internal(set) var cancelled = 0
    /// Requests refused because the queue was full.
    public internal(set) var queueFull = 0
    /// Requests refused because their deadline was too short.
    public internal(set) var failedFast = 0
    /// Dials begun.
    public internal(set) var dials = 0
    /// Dials that brought a connection.
    public internal(set) var dialsSucceeded = 0
    /// Dials that failed or took too long.
    public internal(set) var dialsFailed = 0
    /// Dials given up because nobody needed them any more.
    public internal(set) var dialsElided = 0
    /// Keepalives run.
    public internal(set) var probes = 0
    /// Connections closed, for whatever reason.
    public internal(set) var closed = 0
    /// Idle connections found dead by who was to get them, and replaced.
    public internal(set) var staleReplaced = 0
    /// Events that were lost because who listens was slow.
    public internal(set) var eventsDropped = 0
}
