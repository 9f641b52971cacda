import AllocationCounter
import NetPoll
import Testing

@testable import ConnPool

@Suite("EndpointPool", .timeLimit(.minutes(10)))
struct EndpointPoolTests {
    @Test func `leases go to the endpoints in turn, each with connections of its own`() throws {
        let world = EndpointWorld()
        #expect(try world.names(7) == "abcabca")
        for name in ["a", "b", "c"] { #expect(world[name].dials == 1) }
        let snapshot = world.pool.snapshot
        #expect(snapshot.entries.map(\.endpoint.name) == ["a", "b", "c"])
        #expect(snapshot.entries.allSatisfy { $0.pool.idle == 1 && $0.inFlight == 0 })
        #expect(snapshot.failovers == 0 && snapshot.passedOver == 0 && !snapshot.isPanicking)
    }

    /// The first, always.
    private struct First: BalancingPolicy {
        mutating func changed(_ candidates: BalancingCandidates) {}

        mutating func pick(
            _ request: BalancingRequest, from candidates: BalancingCandidates,
            using random: inout some RandomNumberGenerator
        ) -> Int? {
            candidates.available.first { slot in
                !request.excludes(slot) && candidates[slot].isAvailable
                    && candidates.admits(slot, using: &random)
            }
        }
    }

    @Test func `a policy of one's own is asked`() throws {
        #expect(try EndpointWorld("abc", policy: First()).names(4) == "aaaa")
    }

    @Test func `a pool without a loop runs on the system's clock`() async throws {
        let pool = EndpointPool(endpoints: [Endpoint(name: "a"), Endpoint(name: "a", weight: 2)]) {
            endpoint in
            PoolConnector<String> { _ in
                "\(endpoint.name) of \(endpoint.weight)"
            } close: { _, _ in
            }
        }
        let deadline = pool.now + .seconds(300)
        let text = try await pool.withConnection(deadline: deadline) { $0 }
        #expect(text == "a of 1")
        #expect(pool.configuration.failoversMax == 2)
        await pool.drain(until: deadline)
    }

    @Test func `weights are heeded`() throws {
        let world = EndpointWorld("", policy: .smoothWeightedRoundRobin, spare: "abc")
        #expect(world.pool.add(Endpoint(name: "a", weight: 5)))
        #expect(world.pool.add(Endpoint(name: "b")))
        #expect(world.pool.add(Endpoint(name: "c")))
        #expect(try world.names(14) == "aabacaaaabacaa")
    }

    @Test func `leases that are out count, and dropping one returns it`() throws {
        let world = EndpointWorld("ab", policy: .leastInFlight)
        try world.run { pool, _ in
            let first = try await pool.lease()
            let name = first.endpoint.name
            for _ in 0..<3 {
                let second = try await pool.lease()
                let other = second.endpoint.name
                #expect(other != name)
                second.release()
            }
            let inFlight = pool.snapshot.entries.map(\.inFlight)
            #expect(inFlight == (name == "a" ? [1, 0] : [0, 1]))
            _ = consume first
        }
        #expect(world.pool.snapshot.entries.map(\.inFlight) == [0, 0])
    }

    @Test func `equal keys go to the same endpoint`() throws {
        let world = EndpointWorld("abcdef", policy: .consistentHash)
        var used: Set<String> = []
        for number in 0..<40 {
            let names = Set(try world.names(4, key: AffinityKey("user \(number)")))
            #expect(names.count == 1)
            used.formUnion(names.map(String.init))
        }
        #expect(used.count == 6)
    }

    @Test func `tryLease takes what is idle anywhere and causes no dial`() throws {
        let world = EndpointWorld()
        if world.pool.tryLease() != nil { Issue.record("there is none") }
        #expect(world.servers.values.allSatisfy { $0.dials == 0 })
        try world.run { pool, _ in
            let lease = try await pool.lease()
            lease.release()
        }
        for _ in 0..<3 {
            guard let lease = world.pool.tryLease() else {
                Issue.record("one is idle")
                return
            }
            let (isFresh, dials) = (lease.isFresh, world[lease.endpoint.name].dials)
            #expect(!isFresh && dials == 1)
        }
        #expect(world.pool.snapshot.entries.allSatisfy { $0.inFlight == 0 })
    }

    @Test(.enabled(if: countsAllocations), arguments: PolicyKind.allCases)
    func `leasing an idle connection and returning it allocates nothing`(kind: PolicyKind) throws {
        let world = EndpointWorld("abc", policy: kind.policy)
        let used = try world.run { pool, _ in
            var before: UInt64 = 0
            for round in 0..<2 {
                before = allocation_counter_count()
                for number in 0..<(round == 0 ? 500 : 5_000) {
                    let lease = try await pool.lease(key: AffinityKey(number))
                    lease.release()
                }
            }
            return allocation_counter_count() - before
        }
        #expect(used == 0)
    }

    @Test func `limits that make no sense trap`() async {
        await #expect(processExitsWith: .failure) { _ = Endpoint(name: "a", weight: 0) }
        await #expect(processExitsWith: .failure) {
            _ = Endpoint(name: "a", weight: Endpoint.weightMax + 1)
        }
        await #expect(processExitsWith: .failure) {
            _ = EndpointWorld("a") {
                $0.failoversMax = EndpointPoolConfiguration.failoversLimit + 1
            }
        }
        await #expect(processExitsWith: .failure) {
            _ = EndpointWorld("a") { $0.failoverDelay = .zero }
        }
    }
}
