/// Why a pool closes a connection.
public enum PoolCloseReason: Hashable, Sendable {
    /// Nobody leased it for ``PoolConfiguration/idleTimeout``.
    case idleTimedOut
    /// It lived for ``PoolConfiguration/lifetimeMax``.
    case expired
    /// The peer closed or reset it.
    case closedByPeer
    /// The peer sent bytes that nobody had asked for: who leased it next would take them for an
    /// answer.
    case poisoned
    /// Who leased it said that it is broken, or ended with an error.
    case discarded
    /// ``PoolConnector/isHealthy`` said no.
    case unhealthy
    /// The peer did not answer a keepalive within ``PoolConfiguration/keepAliveTimeout``.
    case unanswered
    /// It was dialled before the endpoint's addresses changed.
    case outdated
    /// Its capacity was set to 0.
    case retired
    /// Several idle connections in a row were found dead, so that the others are not trusted.
    case distrusted
    /// It was established when nobody needed it any more.
    case surplus
    /// The pool is closed or drained.
    case shutdown

    /// Whether the peer may still be there, so that a farewell makes sense.
    public var isOrderly: Bool {
        switch self {
        case .idleTimedOut, .expired, .outdated, .retired, .surplus, .shutdown: true
        case .closedByPeer, .poisoned, .discarded, .unhealthy, .unanswered, .distrusted: false
        }
    }
}
