public import NetPoll
internal import Synchronization

/// Leases connections to several servers that do the same, such as replicas of a database.
///
/// ```swift
/// let pool = EndpointPool(
///     endpoints: [Endpoint(name: "10.0.0.1:7000"), Endpoint(name: "10.0.0.2:7000", weight: 2)]
/// ) { endpoint in
///     connector(to: endpoint.name)
/// }
/// let reply = try await pool.withConnection { try await $0.ask("hello") }
/// ```
///
/// Each endpoint has a ``ConnectionPool`` of its own. A ``BalancingPolicy`` chooses the endpoint of
/// each request; one that keeps failing is ejected for a while; one that has no connection and may
/// not dial now, after failed dials, is passed over; and a request that waits in vain at one turns
/// to another.
public final class EndpointPool<Connection: Sendable>: Sendable {
    private let driver: EndpointDriver
    private let makePool: @Sendable (Endpoint) -> ConnectionPool<Connection>

    /// Makes a pool on the system's monotonic clock, the one that event loops use.
    ///
    /// - Parameters:
    ///   - endpoints: Where to connect; of one name only the first is taken.
    ///   - configuration: Limits and times.
    ///   - connector: How connections to an endpoint are made, kept and closed.
    /// - Precondition: The configuration's values make sense; each says so by its name.
    public convenience init(
        endpoints: [Endpoint], configuration: EndpointPoolConfiguration = .init(),
        connector: @escaping @Sendable (Endpoint) -> PoolConnector<Connection>
    ) {
        self.init(endpoints, configuration, TaskPoolClock()) { endpoint in
            ConnectionPool(configuration: configuration.pool, connector: connector(endpoint))
        }
    }

    /// Makes a pool whose tasks and timers run on `loop`; on a simulated one, all of the pool does.
    public convenience init(
        endpoints: [Endpoint], configuration: EndpointPoolConfiguration = .init(),
        on loop: EventLoop, connector: @escaping @Sendable (Endpoint) -> PoolConnector<Connection>
    ) {
        var random = loop.random
        self.init(endpoints, configuration, LoopPoolClock(loop), seed: random.next()) { endpoint in
            ConnectionPool(
                configuration: configuration.pool, connector: connector(endpoint), on: loop)
        }
    }

    init(
        _ endpoints: [Endpoint], _ configuration: EndpointPoolConfiguration,
        _ clock: any PoolClock, seed: UInt64 = .random(in: 0...(.max)),
        makePool: @escaping @Sendable (Endpoint) -> ConnectionPool<Connection>
    ) {
        configuration.check()
        self.makePool = makePool
        driver = EndpointDriver(configuration, clock, seed: seed)
        for endpoint in endpoints { add(endpoint) }
    }

    /// The limits and times of the pool.
    public var configuration: EndpointPoolConfiguration { driver.configuration }

    /// The present on the pool's clock, for deadlines.
    public var now: Instant { driver.now }

    // MARK: - Leasing

    /// Leases a connection to the endpoint that the policy chooses, or to another where none is to
    /// be had there; waits until `deadline`.
    ///
    /// Costs what a pick of the policy costs, and allocates nothing where a connection is idle.
    ///
    /// - Parameters:
    ///   - key: With consistent hashing, what to keep together: equal keys go to the same endpoint.
    ///   - deadline: When to give up; `nil`: after ``PoolConfiguration/leaseTimeout``.
    ///   - file: Where the lease is taken, for ``PoolConfiguration/leakThreshold``.
    ///   - line: The line of it.
    /// - Returns: The lease, which ends when it is dropped.
    /// - Throws: ``EndpointPoolError``.
    public func lease(
        key: AffinityKey? = nil, deadline: Instant? = nil, file: StaticString = #fileID,
        line: Int = #line
    ) async throws(EndpointPoolError) -> Lease {
        try await lease(key: key, deadline: deadline, file: file, line: line) {}
    }

    /// As ``lease(key:deadline:file:line:)``; `willWait` is told where there is none at once, and may
    /// give leases back.
    package func lease(
        key: AffinityKey?, deadline: Instant?, file: StaticString = #fileID, line: Int = #line,
        willWait: () -> Void
    ) async throws(EndpointPoolError) -> Lease {
        let moment = driver.now
        let choice = driver.firstChoice(
            BalancingRequest(key: key), at: moment, AcquisitionSite(file: "\(file)", line: line))
        guard let (member, grant) = choice else {
            throw EndpointSearch(key: key).error(driver.emptyReason)
        }
        if let grant { return Lease(EndpointGrant(grant: grant, member: member), of: driver) }
        willWait()
        let found = try await driver.search(
            key, from: member, deadline ?? moment + configuration.pool.leaseTimeout,
            AcquisitionSite(file: "\(file)", line: line))
        return Lease(found, of: driver)
    }

    /// Leases a connection where the endpoint that the policy chooses, or one of those to turn to,
    /// has one at once; `nil` otherwise. Causes no dial.
    public func tryLease(
        key: AffinityKey? = nil, file: StaticString = #fileID, line: Int = #line
    ) -> Lease? {
        driver.tryLease(key, AcquisitionSite(file: "\(file)", line: line)).map {
            Lease($0, of: driver)
        }
    }

    /// Leases a connection for the time of `body`.
    ///
    /// Where `body` throws, the connection is discarded or released as
    /// ``PoolConfiguration/afterError`` says, and the endpoint has failed where the connection was
    /// reported as closed or ``EndpointPoolConfiguration/isFailure`` says so.
    ///
    /// - Parameters:
    ///   - key: With consistent hashing, what to keep together.
    ///   - deadline: When to give up waiting; `nil`: after ``PoolConfiguration/leaseTimeout``. With
    ///     a retry it is the same for all tries.
    ///   - retry: Whether `body` may be run again, likely at another endpoint, where its connection
    ///     turns out to be dead.
    ///   - file: Where the lease is taken, for ``PoolConfiguration/leakThreshold``.
    ///   - line: The line of it.
    ///   - body: Uses the connection, which it must not keep.
    /// - Returns: What `body` returns.
    /// - Throws: ``EndpointPoolError``, or what `body` throws.
    public func withConnection<Result>(
        key: AffinityKey? = nil, deadline: Instant? = nil, retry: PoolRetry = .never,
        file: StaticString = #fileID, line: Int = #line,
        _ body: (Connection) async throws -> Result
    ) async throws -> Result {
        let deadline = deadline ?? now + configuration.pool.leaseTimeout
        let triesMax = retry == .onStale ? configuration.pool.staleTriesMax : -1
        var tries = 0
        while true {
            let lease = try await lease(key: key, deadline: deadline, file: file, line: line)
            do {
                return try await body(lease.connection)
            } catch {
                let isDead = lease.isDead(after: error)
                lease.end(
                    isDead || configuration.isFailure?(error) == true ? .failure : .unknown,
                    discarding: isDead || configuration.pool.afterError == .discard)
                guard isDead, tries <= triesMax, !Task.isCancelled else { throw error }
                // The last try is not left to chance.
                if tries == triesMax { driver.distrustIdle() }
                tries += 1
            }
        }
    }

    // MARK: - Endpoints

    /// Adds an endpoint, which begins to get leases at once, or slowly as
    /// ``BalancingConfiguration/slowStart`` says.
    ///
    /// - Returns: Whether it was added: not where its name is taken or the pool is closed.
    @discardableResult
    public func add(_ endpoint: Endpoint) -> Bool {
        guard driver.roster.withLock({ $0.takes(endpoint.name) }) else { return false }
        let (pool, now) = (makePool(endpoint), now)
        return driver.roster.withLock { $0.add(endpoint, pool, at: now) }
    }

    /// Removes an endpoint: it gets no lease from now on, who waits there turns to another, and
    /// leases that are out are awaited until `deadline`; then its connections are closed, leased or
    /// not. Returns when none is left.
    ///
    /// - Returns: Whether there was one of this name.
    @discardableResult
    public func remove(_ name: String, drainUntil deadline: Instant) async -> Bool {
        await remove(name, drainUntil: deadline) {}
    }

    /// As ``remove(_:drainUntil:)``; `whenRemoved` is told when it gets no lease any more.
    package func remove(
        _ name: String, drainUntil deadline: Instant, whenRemoved: () -> Void
    ) async -> Bool {
        guard let member = driver.roster.withLock({ $0.remove(name) }) else { return false }
        whenRemoved()
        await member.driver.drain(until: deadline)
        return true
    }

    // MARK: - The end

    /// Gives no more leases: who waits is told so, and leases that are out are awaited. At `deadline`
    /// all connections are closed, leased or not. Returns when none is left.
    public func drain(until deadline: Instant) async {
        await forEachPool { await $0.drain(until: deadline) }
    }

    /// Closes all connections at once, leased or not; who waits is told so, and later requests fail.
    public func close() async {
        await forEachPool { pool in
            pool.close()
            await pool.ended()
        }
    }

    private func forEachPool(
        _ end: @escaping @Sendable (PoolDriver) async -> Void
    ) async {
        let members = driver.roster.withLock { roster in
            roster.isClosed = true
            return roster.members
        }
        await withDiscardingTaskGroup { group in
            for case let member? in members { group.addTask { await end(member.driver) } }
        }
    }

    // MARK: - Observation

    /// What the pool holds now; O(connections).
    public var snapshot: EndpointPoolSnapshot {
        let now = now
        let (core, members, failovers, passedOver) = driver.roster.withLock { roster in
            roster.core.advance(to: now.sinceOrigin)
            return (roster.core, roster.members, roster.failovers, roster.passedOver)
        }
        let entries = members.compactMap { member -> EndpointPoolSnapshot.Entry? in
            guard let member else { return nil }
            let candidate = core.candidates[member.id.slot]
            return .init(
                endpoint: member.endpoint, inFlight: candidate.inFlight,
                ejectedFor: core.ejectedUntil(member.id).map { $0 - now.sinceOrigin },
                ramp: candidate.ramp,
                pool: member.driver.read { $0.core.snapshot })
        }
        return EndpointPoolSnapshot(
            entries: entries.sorted { $0.endpoint.name < $1.endpoint.name },
            isPanicking: core.isPanicking, ejections: core.ejections, failovers: failovers,
            passedOver: passedOver)
    }
}
