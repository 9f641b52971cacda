import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

@Suite("ConnectionPool", .timeLimit(.minutes(10)))
struct ConnectionPoolTests {
    @Test func `a connection is made on demand and used again`() throws {
        let world = PoolWorld()
        let numbers = try world.run { pool, _ in
            var numbers: [Int] = []
            for _ in 0..<3 { numbers.append(try await pool.withConnection { $0.number }) }
            return numbers
        }
        #expect(numbers == [0, 0, 0])
        #expect(world.server.dials == 1)
        #expect(world.pool.snapshot.idle == 1)
    }

    @Test func `a lease returns its connection when it is dropped`() throws {
        let world = PoolWorld { $0.connectionsMax = 1 }
        try world.run { pool, _ in
            do {
                let lease = try await pool.lease()
                let (isFresh, number) = (lease.isFresh, lease.connection.number)
                #expect(isFresh && number == 0)
                #expect(pool.snapshot.leases == 1)
            }
            #expect(pool.snapshot.leases == 0)
            let again = try await pool.lease()
            let isFresh = again.isFresh
            #expect(!isFresh)
            again.release()
            #expect(pool.snapshot.idle == 1)
        }
    }

    @Test func `a discarded connection is closed and replaced`() throws {
        let world = PoolWorld { $0.connectionsMax = 1 }
        let number = try world.run { pool, _ in
            let lease = try await pool.lease()
            lease.discard()
            return try await pool.withConnection { $0.number }
        }
        #expect(number == 1)
        #expect(world.server.closed == [0])
        #expect(world.server.reasons == [.discarded])
    }

    @Test(arguments: [Duration.zero, .seconds(60)])
    func `a first idle period is watched like all others, however long the lease was`(
        held: Duration
    ) throws {
        let world = PoolWorld(keepAlive: true) {
            $0.idleTimeout = nil
            $0.keepAliveInterval = .seconds(1)
            $0.keepAliveTimeout = .seconds(1)
        }
        try world.run { pool, loop in
            let lease = try await pool.lease()
            try await loop.pause(held)
            lease.release()
        }
        world.server.set(\.answerTime, nil)
        world.network.run(for: .milliseconds(2_500))
        #expect(world.server.reasons == [.unanswered])
        #expect(world.pool.snapshot.idle == 0)
    }

    @Test func `tryLease takes what is idle and causes no dial`() throws {
        let world = PoolWorld()
        if world.pool.tryLease() != nil { Issue.record("there is none") }
        #expect(world.server.dials == 0)
        try world.run { pool, _ in try await pool.withConnection { _ in } }
        if let lease = world.pool.tryLease() {
            let number = lease.connection.number
            #expect(number == 0)
        } else {
            Issue.record("one is idle")
        }
        #expect(world.pool.snapshot.idle == 1)
    }

    @Test func `many tasks share few connections, in the order they came`() throws {
        let world = PoolWorld { $0.connectionsMax = 3 }
        let order = Mutex<[Int]>([])
        for index in 0..<30 {
            world.start { pool, loop in
                try await pool.withConnection { _ in
                    order.withLock { $0.append(index) }
                    try await loop.pause(.milliseconds(5))
                }
            }
        }
        world.network.run(for: .seconds(1))
        #expect(order.withLock { $0 } == Array(0..<30))
        #expect(world.pool.snapshot.connections <= 3)
        #expect(world.pool.counters.leased == 30)
        #expect(world.pool.durations.holds.count == 30)
    }

    @Test func `a cancelled wait ends at once and its place goes to the next`() throws {
        let world = PoolWorld { $0.connectionsMax = 1 }
        let lease = try world.lease()
        let first = world.start { pool, _ in try await pool.withConnection { $0.number } }
        let second = world.start { pool, _ in try await pool.withConnection { $0.number } }
        #expect(world.pool.snapshot.waiters == 2)
        first.cancel()
        world.network.runUntilIdle()
        #expect(first.error?.reason == .cancelled)
        #expect(world.pool.snapshot.waiters == 1)
        lease.release()
        world.network.runUntilIdle()
        #expect(try second.result() == 0)
    }

    @Test func `a task that was cancelled before gets nothing and leaks nothing`() throws {
        let world = PoolWorld { $0.connectionsMax = 1 }
        let lease = try world.lease()
        let waiting = world.start { pool, _ in
            withUnsafeCurrentTask { $0?.cancel() }
            _ = try await pool.withConnection { $0.number }
        }
        #expect(waiting.error?.reason == .cancelled)
        lease.release()
        #expect(world.pool.snapshot.idle == 1)
    }

    @Test func `a dial survives the caller's cancellation and serves the next`() throws {
        let world = PoolWorld(server: { $0.set(\.dialTime, .milliseconds(150)) })
        let first = world.start { pool, _ in try await pool.withConnection { $0.number } }
        world.network.run(for: .milliseconds(100))
        first.cancel()
        world.network.runUntilIdle()
        #expect(first.error?.reason == .cancelled)
        let number = try world.run(within: .milliseconds(60)) { pool, _ in
            try await pool.withConnection { $0.number }
        }
        #expect(number == 0)
        #expect(world.server.dials == 1)
    }

    @Test func `the deadline's error says what was waited for`() throws {
        let world = PoolWorld {
            $0.connectionsMax = 2
            $0.failsFast = false
        } server: {
            $0.set(\.refuses, true)
        }
        let started = world.start { pool, _ in
            try await pool.withConnection(deadline: pool.now + .seconds(2)) { $0.number }
        }
        world.network.run(for: .seconds(3))
        let error = try #require(started.error)
        #expect(error.reason == .timedOut)
        #expect(error.waited >= .seconds(2) && error.waited < .milliseconds(2_001))
        #expect(error.queuePosition == 1)
        #expect(error.lastDialError is FakeServer.Refused)
        #expect(error.pool.connectionsMax == 2)
        #expect("\(error)".contains("nobody at home"))
        #expect("\(error)".contains("joined the queue as number 1"))
    }

    @Test func `an error of the body discards the connection, or releases it`() throws {
        for policy in [PoolConfiguration.ErrorPolicy.discard, .release] {
            let world = PoolWorld { $0.afterError = policy }
            let started = world.start { pool, _ in
                try await pool.withConnection { _ in throw FakeServer.Broken() }
            }
            world.network.runUntilIdle()
            #expect(started.isFinished)
            #expect(world.server.closed == (policy == .discard ? [0] : []))
        }
    }

    @Test func `a pool that is let go of closes its connections`() throws {
        let server = try {
            let world = PoolWorld()
            try world.run { pool, _ in try await pool.withConnection { _ in } }
            return world
        }()
        let fake = server.server
        let network = server.network
        _ = consume server
        network.runUntilIdle()
        #expect(fake.closed == [0])
        #expect(fake.reasons == [.shutdown])
    }

    @Test func `shared connections give as many leases as their capacity`() throws {
        let world = PoolWorld {
            $0.connectionsMax = 1
            $0.leasesPerConnection = 2
        }
        let first = try world.lease()
        let second = try world.lease()
        let isSame = first.id == second.id
        #expect(isSame)
        let third = world.start { pool, _ in try await pool.withConnection { $0.number } }
        #expect(!third.isFinished)
        first.connection.reporter.setCapacity(3)
        world.network.runUntilIdle()
        #expect(try third.result() == 0)
        second.release()
        first.release()
        #expect(world.pool.snapshot.idle == 1)
    }

    @Test(arguments: [true, false])
    func `who waits when the pool's loop ends is told`(timerIsArmed: Bool) async throws {
        let world = PoolWorld { $0.connectionsMax = 1 }
        try world.run { pool, _ in try await pool.withConnection { _ in } }
        let pool = world.pool
        guard let lease = pool.tryLease() else { throw FakeServer.Broken() }
        let waiting = Task { try await pool.withConnection { _ in } }
        while pool.snapshot.waiters == 0 { await Task.yield() }
        world.loop.bindToCurrentThread()
        if timerIsArmed {
            world.network.runUntilIdle()
            world.loop.shutDown()
        } else {
            // What was posted to the loop runs when its timers are gone.
            world.loop.shutDown()
            world.network.runUntilIdle()
        }
        let error = await #expect(throws: PoolError.self) { try await waiting.value }
        #expect(error?.reason == .closed)
        lease.release()
        #expect(pool.snapshot.leases == 0)
    }

    /// A close that ends when it is told to.
    private final class SlowClose: Sendable {
        private let waiter = Mutex<UnsafeContinuation<Void, Never>?>(nil)

        func wait() async {
            await withUnsafeContinuation { continuation in
                waiter.withLock { $0 = continuation }
            }
        }

        func end() { waiter.withLock { $0.take() }?.resume() }
    }

    @Test func `a pool whose loop ended does not wait for closes without end`() async throws {
        let closing = SlowClose()
        let world = PoolWorld(connector: { $0.close = { _, _ in await closing.wait() } })
        try world.run { pool, _ in try await pool.withConnection { _ in } }
        world.loop.bindToCurrentThread()
        world.loop.shutDown()
        world.network.runUntilIdle()
        try #require(world.pool.snapshot.connections == 0)
        await world.pool.close()
        closing.end()
    }

    @Test func `a clock of Swift's may drive a pool`() async throws {
        let pool = ConnectionPool(
            connector: PoolConnector { _ in
                7
            } close: { _, _ in
            },
            clock: SuspendingClock())
        #expect(try await pool.withConnection { $0 } == 7)
        await pool.close()
        let error = await #expect(throws: PoolError.self) {
            try await pool.withConnection { $0 }
        }
        #expect(error?.reason == .closed)
    }
}

extension PoolWorld {
    /// Leases in the test's own thread, where a dial takes no time.
    func lease() throws -> ConnectionPool<FakeServer.Link>.Lease {
        while true {
            if let lease = pool.tryLease() { return lease }
            try run { pool, _ in try await pool.withConnection { _ in } }
        }
    }
}
