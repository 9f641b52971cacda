import AllocationCounter
import ConnPool

/// Leases, echoes, calls and messages in an optimised build, and fails where that allocated more memory than is promised:
/// what a hot path costs without optimisation says nothing.
@main
struct AllocationRun {
    private static let count = 1_000

    static func main() async throws {
        guard allocation_counter_is_active() else { fatalError("allocations are not counted") }
        var failures = 0
        func report(_ what: String, _ allocations: UInt64) {
            print("\(allocations) allocations in \(count) times: \(what)")
            if allocations > 0 { failures += 1 }
        }
        for (name, leases) in [("a connection", 1), ("a shared connection", 64)] {
            var configuration = PoolConfiguration()
            configuration.leasesPerConnection = leases
            let pool = ConnectionPool(configuration: configuration, connector: connector)
            try await pool.withConnection { _ in }
            report("tryLease and return of \(name)", tried(pool))
            report("lease and return of \(name)", try await leased(pool))
            await pool.close()
        }
        let pool = EndpointPool(endpoints: [Endpoint(name: "a"), Endpoint(name: "b")]) { _ in
            connector
        }
        for _ in 0..<4 { try await pool.withConnection { _ in } }
        report("lease and return at two endpoints", try await leased(pool))
        await pool.close()
        failures += try EchoAllocations.failing()
        failures += try await failingCalls()
        failures += try await WebSocketAllocations.failing()
        if failures > 0 { fatalError("\(failures) hot paths allocate") }
    }

    /// How many kinds of calls allocate more than they may.
    private static func failingCalls() async throws -> Int {
        let calls = try await CallAllocations()
        var failures = 0
        func report(
            _ what: String, client: Double = 2, server: Double = 2, _ used: CallAllocations.PerCall
        ) {
            print("\(used.client) by the client, \(used.server) by the server: \(what)")
            if used.client > client || used.server > server { failures += 1 }
        }
        // Memory that grows once in a while is none of a call's.
        let none = 1.0 / 1_000
        report(
            "a call of one connection's to an inline handler", client: none, server: none,
            try await calls.inlineOnConnection())
        // The client's pool leases a line once for 64 calls.
        report(
            "a call to an inline handler", client: 1.0 / 16, server: none,
            try await calls.inline())
        // The request here, the reply there, and what it takes to wake the pool's threads once for
        // many calls.
        report("a call to a task on the loop", try await calls.onLoop())
        report("a call to a task on the pool", try await calls.onPool())
        await calls.close()
        return failures
    }

    private static var connector: PoolConnector<Int> {
        PoolConnector { _ in
            1
        } close: { _, _ in
        }
    }

    // None of these suspends, so all runs on the thread whose allocations are counted. The first
    // round makes what stays.

    private static func tried(_ pool: ConnectionPool<Int>) -> UInt64 {
        var before: UInt64 = 0
        for round in 0..<2 * count {
            if round == count { before = allocation_counter_count() }
            guard let lease = pool.tryLease() else { fatalError("no connection is idle") }
            lease.release()
        }
        return allocation_counter_count() - before
    }

    private static func leased(_ pool: ConnectionPool<Int>) async throws -> UInt64 {
        var before: UInt64 = 0
        for round in 0..<2 * count {
            if round == count { before = allocation_counter_count() }
            let lease = try await pool.lease()
            lease.release()
        }
        return allocation_counter_count() - before
    }

    private static func leased(_ pool: EndpointPool<Int>) async throws -> UInt64 {
        var before: UInt64 = 0
        for round in 0..<2 * count {
            if round == count { before = allocation_counter_count() }
            let lease = try await pool.lease()
            lease.release()
        }
        return allocation_counter_count() - before
    }
}
