import AllocationCounter
import NetPoll
import Testing

@testable import ConnPool

@Suite("What leasing allocates", .enabled(if: countsAllocations))
struct PoolAllocationTests {
    @Test func `a lease and its return allocate nothing`() async throws {
        let pool = ConnectionPool(
            connector: PoolConnector { _ in
                1
            } close: { _, _ in
            })
        try await pool.withConnection { _ in }
        let used = Self.count(pool)
        #expect(used == 0)
        await pool.close()
    }

    /// Not asynchronous, so that all of it runs on the thread whose allocations are counted.
    private static func count(_ pool: ConnectionPool<Int>) -> UInt64 {
        // The first pass makes what stays.
        var before: UInt64 = 0
        for round in 0..<2 {
            before = allocation_counter_count()
            for _ in 0..<1_000 {
                guard let lease = pool.tryLease() else { return .max }
                lease.release()
            }
            if round == 0 { continue }
        }
        return allocation_counter_count() - before
    }

    @Test func `the core allocates nothing where requests wait and are served`() throws {
        var world = CoreWorld { $0.connectionsMax = 1 }
        _ = try world.fill(1)
        let id = try world.lease()
        var now = world.now
        func round(_ core: inout PoolCore) -> UInt64 {
            let before = allocation_counter_count()
            for _ in 0..<1_000 {
                now = now + .microseconds(1)
                var batch = PoolActions()
                _ = core.requested(
                    now: now, deadline: now + .seconds(30), waits: true, into: &batch)
                core.released(id, since: now, now: now, into: &batch)
            }
            return allocation_counter_count() - before
        }
        _ = round(&world.core)
        _ = round(&world.core)
        #expect(round(&world.core) == 0)
    }
}
