import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

/// HikariCP's spike: 50 requests at once, a dial takes 150 ms and the work 2 ms; 5 connections are
/// idle to begin with.
@Suite("A spike", .timeLimit(.minutes(10)))
struct SpikeTests {
    @Test(arguments: [0, 5])
    func `50 requests at once are served by at most 6 connections`(idleMin: Int) throws {
        let world = PoolWorld {
            $0.connectionsMax = 50
            $0.idleMin = idleMin
        }
        // Either the pool keeps 5 idle, or 5 callers leave them.
        for _ in idleMin..<5 {
            world.start { pool, loop in
                try await pool.withConnection { _ in try await loop.pause(.milliseconds(1)) }
            }
        }
        world.network.run(for: .seconds(1))
        #expect(world.pool.snapshot.idle == 5)
        world.server.set(\.dialTime, .milliseconds(150))
        let served = Mutex(0)
        for _ in 0..<50 {
            world.start { pool, loop in
                try await pool.withConnection { _ in try await loop.pause(.milliseconds(2)) }
                served.withLock { $0 += 1 }
            }
        }
        world.network.run(for: .seconds(1))
        #expect(served.withLock { $0 } == 50)
        #expect(world.pool.snapshot.connections <= 6)
        #expect(world.pool.snapshot.idle <= 6)
        #expect(world.server.dials <= 6)
    }
}
