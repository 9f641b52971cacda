/// What a pool holds at one moment.
public struct PoolSnapshot: Hashable, Sendable {
    /// What a pool does with requests.
    public enum State: Hashable, Sendable {
        case open
        /// Gives no more leases and waits for those that are out.
        case draining
        case closed
    }

    /// All connections, those being dialled and closed included.
    public internal(set) var connections = 0
    /// Connections with no lease out, ready for one.
    public internal(set) var idle = 0
    /// Connections with a lease out.
    public internal(set) var leased = 0
    /// Connections that are being dialled, dials that were given up but have not ended included.
    public internal(set) var dialling = 0
    /// Connections that answer a keepalive.
    public internal(set) var probing = 0
    /// Connections that are being closed.
    public internal(set) var closing = 0
    /// Leases out; more than ``leased`` where connections are shared.
    public internal(set) var leases = 0
    /// Requests that wait.
    public internal(set) var waiters = 0
    /// The most connections; see ``PoolConfiguration/connectionsMax``.
    public internal(set) var connectionsMax = 0
    public internal(set) var state = State.open
    /// Dials that failed in a row.
    public internal(set) var dialFailures = 0
    /// What the endpoint's breaker does; `nil` where the pool has none.
    public internal(set) var breaker: CircuitBreaker.State?
}

extension PoolSnapshot: CustomStringConvertible {
    public var description: String {
        var text =
            "\(connections) of \(connectionsMax) connections"
            + " (\(leased) leased, \(idle) idle, \(dialling) dialling, \(probing) probing,"
            + " \(closing) closing), \(waiters) waiting"
        switch breaker {
        case .open: text += ", breaker open"
        case .halfOpen: text += ", breaker half open"
        case .closed, nil: break
        }
        return text
    }
}
