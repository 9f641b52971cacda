public import NetPoll

extension ConnectionPool {
    /// One connection, or one unit of a shared one, for as long as this value lives.
    ///
    /// It goes back to the pool when it is dropped, whatever way that happens, and cannot be copied,
    /// so it can be returned neither twice nor used afterwards. Where the pool was closed by force
    /// meanwhile, returning it has no effect.
    public struct Lease: ~Copyable, Sendable {
        private let pool: ConnectionPool
        private let grant: Grant
        private var isBroken = false

        init(_ grant: Grant, of pool: ConnectionPool) {
            self.grant = grant
            self.pool = pool
        }

        deinit {
            if isBroken { pool.driver.discard(grant) } else { pool.driver.release(grant) }
        }

        /// The connection; not to be used after the lease's end.
        public var connection: Connection {
            ConnectorBackend<Connection>.typed(grant.connection)
        }

        /// The pool's name for the connection.
        public var id: PooledConnectionID { grant.id }

        /// Whether the connection was never leased before.
        public var isFresh: Bool { grant.isFresh }

        /// When the lease was given, on the pool's clock.
        public var since: Instant { grant.since }

        /// Gives the connection back.
        public consuming func release() {}

        /// Gives the connection back as broken: nobody gets it again. One that is shared is closed
        /// when the last lease of it is back.
        public consuming func discard() {
            isBroken = true
        }
    }
}
