/// Tells a pool what happens to one of its connections. Any thread may use it, at any time: what
/// comes after the connection's end has no effect.
public struct ConnectionReporter: Sendable {
    let driver: PoolDriver

    /// The pool's name for the connection.
    public let id: PooledConnectionID

    /// The connection is closed or broken. An idle one leaves the pool at once.
    public func closed() {
        driver.broke(id)
    }

    /// The peer sent something. While no lease is out nobody asked for it, and the connection leaves
    /// the pool: an answer that came too late would be taken for the next request's.
    public func received() {
        driver.report(id) { $0.receivedUnasked($1, now: $2, into: &$3) }
    }

    /// The connection takes so many leases at a time from now on. With 0 it takes none, and is closed
    /// when the last one is back.
    ///
    /// - Precondition: `capacity` is not negative.
    public func setCapacity(_ capacity: Int) {
        driver.report(id) { $0.capacityChanged($1, to: capacity, now: $2, into: &$3) }
    }
}
