/// Something that happened to a pool; see ``ConnectionPool/events``.
public enum PoolEvent: Sendable {
    /// A dial began.
    case dialling(PooledConnectionID)
    /// A dial brought a connection.
    case established(PooledConnectionID)
    /// A dial failed.
    case dialFailed(PooledConnectionID, any Error)
    /// A connection is being closed.
    case closing(PooledConnectionID, PoolCloseReason)
    /// The endpoint's breaker changed its state.
    case breaker(CircuitBreaker.State)
    /// A lease is out for longer than ``PoolConfiguration/leakThreshold``; told once for each.
    case leaseOverdue(OverdueLease)
    /// The pool gives no more leases.
    case draining
    /// The pool is closed and has no connection left.
    case closed
}

/// A lease that was not returned in time, and where it was taken.
public struct OverdueLease: Hashable, Sendable, CustomStringConvertible {
    public let connection: PooledConnectionID
    /// How long it is out.
    public let heldFor: Duration
    /// Where it was taken: file and line of the call.
    public let site: AcquisitionSite

    public var description: String {
        "a lease of connection \(connection), taken at \(site), is out for \(heldFor)"
    }
}

/// A place in the source.
public struct AcquisitionSite: Hashable, Sendable, CustomStringConvertible {
    public let file: String
    public let line: Int

    public var description: String { "\(file):\(line)" }
}
