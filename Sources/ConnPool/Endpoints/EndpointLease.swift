extension EndpointPool {
    /// One connection to one of the endpoints, or one unit of a shared one, for as long as this
    /// value lives.
    ///
    /// It goes back when it is dropped, and cannot be copied. What is done with it says how its
    /// endpoint is doing: ``release()`` and dropping that it did what was asked of it, ``discard()``
    /// and ``fail()`` that it did not.
    public struct Lease: ~Copyable, Sendable {
        private let driver: EndpointDriver
        private let grant: EndpointGrant
        private var outcome = EndpointOutcome.success
        private var isBroken = false

        init(_ grant: EndpointGrant, of driver: EndpointDriver) {
            self.grant = grant
            self.driver = driver
        }

        deinit {
            if isBroken { driver.discard(grant, outcome) } else { driver.release(grant, outcome) }
        }

        /// The connection; not to be used after the lease's end.
        public var connection: Connection {
            ConnectorBackend<Connection>.typed(grant.grant.connection)
        }

        /// Where it goes to.
        public var endpoint: Endpoint { grant.member.endpoint }

        /// Whether the connection was never leased before.
        public var isFresh: Bool { grant.grant.isFresh }

        /// Gives the connection back.
        public consuming func release() {}

        /// Gives the connection back as broken; counts as a failure of the endpoint.
        public consuming func discard() {
            end(.failure, discarding: true)
        }

        /// Gives the connection back in order; counts as a failure of the endpoint all the same, such
        /// as an answer that says it is overloaded.
        public consuming func fail() {
            end(.failure, discarding: false)
        }

        /// Gives back a connection over which several things were asked, one after another.
        ///
        /// - Parameters:
        ///   - successes: How often the endpoint did what was asked of it.
        ///   - failed: Whether it failed at the end; that counts once.
        ///   - discarding: Whether the connection is broken.
        package consuming func end(successes: Int, failed: Bool, discarding: Bool) {
            end(.several(successes: successes, isFailure: failed), discarding: discarding)
        }

        /// Ends a lease whose body threw.
        consuming func end(_ outcome: EndpointOutcome, discarding: Bool) {
            self.outcome = outcome
            isBroken = discarding
        }

        /// Whether the connection was reported as closed, or an error of its user says it is dead.
        func isDead(after error: any Error) -> Bool {
            grant.member.driver.isBroken(grant.grant.id) || grant.member.isStale?(error) == true
        }
    }
}
