public import NetPoll

/// A pool of connections of any kind, from which any thread leases.
///
/// ```swift
/// let pool = ConnectionPool(connector: connector)
/// let reply = try await pool.withConnection { try await $0.ask("hello") }
/// ```
///
/// Requests are served in the order they came. Dials belong to the pool: one goes on when who caused
/// it is cancelled, and serves another. Whatever holds the pool keeps it open, as leases do; when the
/// last of them lets go, all connections are closed.
public final class ConnectionPool<Connection: Sendable>: Sendable {
    let driver: PoolDriver
    let isStale: (@Sendable (any Error) -> Bool)?

    /// Makes a pool on the system's monotonic clock, the one that event loops use.
    ///
    /// - Parameters:
    ///   - configuration: Limits and times.
    ///   - connector: How connections are made, kept and closed.
    /// - Precondition: The configuration's values make sense; each says so by its name.
    public convenience init(
        configuration: PoolConfiguration = .init(), connector: PoolConnector<Connection>
    ) {
        self.init(
            configuration, connector, TaskPoolClock(), executor: nil,
            seed: .random(in: 0...(.max)))
    }

    /// Makes a pool that takes its time from `clock`.
    public convenience init(
        configuration: PoolConfiguration = .init(), connector: PoolConnector<Connection>,
        clock: some Clock<Duration>
    ) {
        self.init(
            configuration, connector, TaskPoolClock(clock), executor: nil,
            seed: .random(in: 0...(.max)))
    }

    /// Makes a pool whose tasks and timers run on `loop`; on a simulated one, all of the pool does.
    /// It closes where it finds that the loop was shut down.
    public convenience init(
        configuration: PoolConfiguration = .init(), connector: PoolConnector<Connection>,
        on loop: EventLoop
    ) {
        var random = loop.random
        self.init(
            configuration, connector, LoopPoolClock(loop), executor: loop, seed: random.next())
    }

    private convenience init(
        _ configuration: PoolConfiguration, _ connector: PoolConnector<Connection>,
        _ clock: any PoolClock, executor: (any TaskExecutor)?, seed: UInt64
    ) {
        self.init(
            driver: PoolDriver(
                configuration, ConnectorBackend(connector), clock, executor: executor,
                seed: seed),
            isStale: connector.isStale)
    }

    init(driver: PoolDriver, isStale: (@Sendable (any Error) -> Bool)?) {
        self.driver = driver
        self.isStale = isStale
    }

    deinit { driver.close() }

    /// The limits and times of the pool.
    public var configuration: PoolConfiguration { driver.configuration }

    /// The present on the pool's clock, for deadlines.
    public var now: Instant { driver.now }

    // MARK: - Leasing

    /// Leases a connection; waits for one until `deadline`.
    ///
    /// O(1) where one is idle, and then neither suspends nor allocates.
    ///
    /// - Parameters:
    ///   - deadline: When to give up; `nil`: after ``PoolConfiguration/leaseTimeout``.
    ///   - file: Where the lease is taken, for ``PoolConfiguration/leakThreshold``.
    ///   - line: The line of it.
    /// - Returns: The lease.
    /// - Throws: ``PoolError``; where the task is cancelled while it waits, with
    ///   ``PoolError/Reason/cancelled``.
    public func lease(
        deadline: Instant? = nil, file: StaticString = #fileID, line: Int = #line
    ) async throws(PoolError) -> Lease {
        switch driver.ask(deadline, AcquisitionSite(file: "\(file)", line: line)) {
        case .leased(let grant): return Lease(grant, of: self)
        case .waits(let seat): return Lease(try await driver.wait(seat), of: self)
        case .failed(let error): throw error
        }
    }

    /// Leases a connection where one is to be had at once; `nil` otherwise. Causes no dial.
    public func tryLease(file: StaticString = #fileID, line: Int = #line) -> Lease? {
        guard let grant = driver.tryLease(AcquisitionSite(file: "\(file)", line: line)) else {
            return nil
        }
        return Lease(grant, of: self)
    }

    /// Leases a connection for the time of `body`.
    ///
    /// Where `body` throws, the connection is discarded or released as
    /// ``PoolConfiguration/afterError`` says.
    ///
    /// - Parameters:
    ///   - deadline: When to give up waiting; `nil`: after ``PoolConfiguration/leaseTimeout``. With
    ///     a retry it is the same for all tries.
    ///   - retry: Whether `body` may be run again where its connection turns out to be dead.
    ///   - file: Where the lease is taken, for ``PoolConfiguration/leakThreshold``.
    ///   - line: The line of it.
    ///   - body: Uses the connection, which it must not keep.
    /// - Returns: What `body` returns.
    /// - Throws: ``PoolError``, or what `body` throws.
    public func withConnection<Result>(
        deadline: Instant? = nil, retry: PoolRetry = .never, file: StaticString = #fileID,
        line: Int = #line, _ body: (Connection) async throws -> Result
    ) async throws -> Result {
        let deadline = retry == .never ? deadline : deadline ?? now + configuration.leaseTimeout
        var tries = 0
        while true {
            let lease = try await lease(deadline: deadline, file: file, line: line)
            do {
                return try await body(lease.connection)
            } catch {
                tries += 1
                let isDead = driver.isBroken(lease.id) || isStale?(error) == true
                if isDead || configuration.afterError == .discard {
                    lease.discard()
                } else {
                    lease.release()
                }
                guard isDead, retry == .onStale, tries - 1 <= configuration.staleTriesMax,
                    !Task.isCancelled
                else { throw error }
                // The last try is not left to chance.
                if tries > configuration.staleTriesMax { driver.distrustIdle() }
            }
        }
    }

    // MARK: - All connections

    /// Replaces all connections: idle ones are closed now, leased ones when they come back. For
    /// changes of addresses, credentials or certificates.
    public func replaceConnections() { driver.replaceAll() }

    // MARK: - The end

    /// Gives no more leases: who waits is told so, and leases that are out are awaited. At `deadline`
    /// all connections are closed, leased or not. Returns when none is left.
    public func drain(until deadline: Instant) async { await driver.drain(until: deadline) }

    /// Closes all connections at once, leased or not; who waits is told so, and later requests fail.
    /// Returns when none is left, which takes ``PoolConfiguration/closeTimeout`` at most.
    public func close() async {
        driver.close()
        await driver.ended()
    }

    // MARK: - Observation

    /// What the pool holds now; O(connections).
    public var snapshot: PoolSnapshot { driver.read { $0.core.snapshot } }

    /// What the pool did so far.
    public var counters: PoolCounters {
        var counters = driver.read { $0.core.counters }
        counters.eventsDropped = driver.events.dropped
        return counters
    }

    /// How long requests waited, leases were out and dials took.
    public var durations: PoolDurations { driver.read { $0.durations } }

    /// What happens from now on, until the pool is closed. Each use of this gives a sequence of its
    /// own, of which the last 1,024 events wait to be taken; see ``PoolCounters/eventsDropped``.
    public var events: AsyncStream<PoolEvent> { driver.events.makeStream() }
}

/// Whether a request may be repeated on another connection.
public enum PoolRetry: Hashable, Sendable {
    /// Never.
    case never
    /// Where its connection was dead, or died under it: for requests that are safe to repeat. At most
    /// ``PoolConfiguration/staleTriesMax`` times, and once more on a connection that is not an idle
    /// one of before.
    case onStale
}
