import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

/// What rocket049/connpool does, each as a test, and each of its defects, which must not be here.
@Suite("The seeds' pool", .timeLimit(.minutes(10)))
struct SeedPoolTests {
    // MARK: - Its semantics

    @Test func `there is a maximum, a timeout and a connect function`() throws {
        let world = PoolWorld {
            $0.connectionsMax = 2
            $0.idleTimeout = .seconds(10)
        }
        let first = try world.leaseNew()
        let second = try world.leaseNew()
        if world.pool.tryLease() != nil { Issue.record("a third of two") }
        #expect(world.server.dials == 2)
        first.release()
        second.release()
    }

    @Test func `a connection that timed out while idle is closed and dialled anew`() throws {
        let world = PoolWorld { $0.idleTimeout = .seconds(10) }
        #expect(try world.number() == 0)
        world.network.run(for: .seconds(11))
        #expect(try world.number() == 1)
        #expect(world.server.closed == [0])
    }

    @Test func `a live one is used again`() throws {
        let world = PoolWorld { $0.idleTimeout = .seconds(10) }
        #expect(try world.number() == 0)
        world.network.run(for: .seconds(9))
        #expect(try world.number() == 0)
        #expect(world.server.dials == 1)
    }

    @Test func `the timeout slides with every use`() throws {
        let world = PoolWorld { $0.idleTimeout = .seconds(10) }
        for _ in 0..<10 {
            #expect(try world.number() == 0)
            world.network.run(for: .seconds(9))
        }
    }

    @Test func `idle connections may be taken first in, first out`() throws {
        let world = PoolWorld {
            $0.idleOrder = .fifo
            $0.connectionsMax = 2
        }
        let first = try world.leaseNew()
        let second = try world.leaseNew()
        first.release()
        second.release()
        #expect(try world.number() == 0)
        #expect(try world.number() == 1)
        #expect(try world.number() == 0)
    }

    @Test func `one that its user closed and put back is dialled anew`() throws {
        let world = PoolWorld { $0.connectionsMax = 1 }
        let lease = try world.leaseNew()
        lease.connection.die(tells: true)
        lease.release()
        #expect(try world.number() == 1)
    }

    // MARK: - Its defects

    @Test func `1 the maximum counts connections, not requests ever made`() throws {
        let world = PoolWorld { $0.connectionsMax = 1 }
        for _ in 0..<50 { #expect(try world.number() == 0) }
        #expect(world.pool.counters.leased == 50)
    }

    @Test func `2 a wait has a deadline and may be cancelled`() throws {
        let world = PoolWorld { $0.connectionsMax = 1 }
        let lease = try world.leaseNew()
        let timed = world.start { pool, _ in
            try await pool.withConnection(deadline: pool.now + .seconds(1)) { _ in }
        }
        let cancelled = world.start { pool, _ in try await pool.withConnection { _ in } }
        cancelled.cancel()
        world.network.run(for: .seconds(1))
        #expect(timed.error?.reason == .timedOut)
        #expect(cancelled.error?.reason == .cancelled)
        lease.release()
    }

    @Test func `3 a dial holds up nobody else`() throws {
        let world = PoolWorld { $0.connectionsMax = 2 }
        let first = try world.leaseNew()
        world.server.set(\.dialTime, .seconds(5))
        let slow = world.start { pool, _ in try await pool.withConnection { $0.number } }
        #expect(!slow.isFinished)
        first.release()
        world.network.runUntilIdle()
        // The connection that came back served who had caused the dial.
        #expect(try slow.result() == 0)
        #expect(try world.number() == 0)
        #expect(world.pool.snapshot.dialling == 1)
    }

    @Test func `4 a failed dial or a lost connection leaks no permit`() throws {
        let world = PoolWorld {
            $0.connectionsMax = 1
            $0.breaker = nil
        }
        world.server.set(\.refuses, true)
        for _ in 0..<5 {
            let failed = world.start { pool, _ in
                try await pool.withConnection(deadline: pool.now + .seconds(1)) { _ in }
            }
            world.network.run(for: .seconds(2))
            #expect(failed.error != nil)
        }
        world.server.set(\.refuses, false)
        // The pause after the last failure is 10 s at most.
        world.network.run(for: .seconds(10))
        for number in 0..<5 {
            let lease = try world.leaseNew()
            let leased = lease.connection.number
            #expect(leased == number)
            lease.discard()
            world.network.runUntilIdle()
        }
        #expect(world.pool.snapshot.connections == 0)
    }

    @Test func `5 close ends all connections, wakes who waits, and nothing comes back`() throws {
        let world = PoolWorld { $0.connectionsMax = 2 }
        let first = try world.leaseNew()
        let second = try world.leaseNew()
        second.release()
        let taken = try world.lease()
        let waiting = world.start { pool, _ in try await pool.withConnection { _ in } }
        try world.run { pool, _ in await pool.close() }
        #expect(waiting.error?.reason == .closed)
        #expect(Set(world.server.closed) == [0, 1])
        first.release()
        taken.release()
        #expect(world.pool.snapshot.connections == 0)
        let late = world.start { pool, _ in try await pool.withConnection { _ in } }
        #expect(late.error?.reason == .closed)
    }

    @Test func `6 time is monotonic and finer than seconds`() throws {
        let world = PoolWorld { $0.idleTimeout = .milliseconds(5) }
        #expect(try world.number() == 0)
        world.network.run(for: .milliseconds(4))
        #expect(try world.number() == 0)
        world.network.run(for: .milliseconds(6))
        #expect(try world.number() == 1)
    }

    @Test func `7 a peer's close is noticed, a minimum kept, and what happens counted`() throws {
        let world = PoolWorld { $0.idleMin = 1 }
        world.network.runUntilIdle()
        #expect(world.pool.snapshot.idle == 1)
        world.server.links[0].die(tells: true)
        world.network.run(for: .seconds(1))
        #expect(world.pool.snapshot.idle == 1)
        #expect(try world.number() == 1)
        let counters = world.pool.counters
        #expect(counters.closed == 1)
        #expect(counters.leased == 1)
        // The first, its replacement, and one to be idle beside the lease.
        #expect(counters.dials == 3)
    }
}

extension PoolWorld {
    /// Leases a connection and says which.
    func number() throws -> Int {
        try run { pool, _ in try await pool.withConnection { $0.number } }
    }

    /// Leases a connection that nobody had before, where those there are leased.
    func leaseNew() throws -> ConnectionPool<FakeServer.Link>.Lease {
        if pool.snapshot.idle == 0 {
            // Whoever waits causes the dial; it is idle afterwards.
            let started = start { pool, _ in try await pool.withConnection { _ in } }
            network.run(for: .milliseconds(100))
            _ = try started.result()
        }
        return try lease()
    }
}
