extension EndpointPool {
    /// One connection to one of the endpoints, or one unit of a shared one, for as long as this
    /// value lives.
    ///
    /// It goes back when it is dropped, and cannot be copied. What is done with it says how its
    /// endpoint is doing: ``release()`` and dropping that it did what was asked of it, ``discard()``
    /// and ``fail()`` that it did not.
    public struct Lease: ~Copyable, Sendable {
        private let lease: ConnectionPool<Connection>.Lease
        private var seat: EndpointSeat<Connection>

        init(
            _ lease: consuming ConnectionPool<Connection>.Lease,
            _ seat: consuming EndpointSeat<Connection>
        ) {
            self.lease = lease
            self.seat = seat
        }

        /// The connection; not to be used after the lease's end.
        public var connection: Connection { lease.connection }

        /// Where it goes to.
        public var endpoint: Endpoint { seat.member.endpoint }

        /// Whether the connection was never leased before.
        public var isFresh: Bool { lease.isFresh }

        /// Gives the connection back.
        public consuming func release() {}

        /// Gives the connection back as broken; counts as a failure of the endpoint.
        public consuming func discard() {
            seat.outcome = .failure
            lease.discard()
        }

        /// Gives the connection back in order; counts as a failure of the endpoint all the same, such
        /// as an answer that says it is overloaded.
        public consuming func fail() {
            seat.outcome = .failure
        }

        /// Ends a lease whose body threw.
        consuming func end(_ outcome: EndpointOutcome, discarding: Bool) {
            seat.outcome = outcome
            if discarding { lease.discard() }
        }

        /// Whether the connection was reported as closed, or an error of its user says it is dead.
        func isDead(after error: any Error) -> Bool {
            let pool = seat.member.pool
            return pool.driver.isBroken(lease.id) || pool.isStale?(error) == true
        }
    }
}

/// What is in flight at an endpoint because of one request, until this value ends.
struct EndpointSeat<Connection: Sendable>: ~Copyable, Sendable {
    let pool: EndpointPool<Connection>
    let member: EndpointMember<Connection>
    var outcome = EndpointOutcome.success

    init(_ pool: EndpointPool<Connection>, _ member: EndpointMember<Connection>) {
        self.pool = pool
        self.member = member
    }

    deinit { pool.ended(member.id, outcome) }
}
