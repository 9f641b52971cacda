import AllocationCounter
import NetPoll
import NetPollTesting
import Seeds
import Synchronization
import Testing

@testable import ConnPool

@Suite("EndpointPool", .timeLimit(.minutes(10)))
struct EndpointPoolTests {
    private static func names(
        _ world: EndpointWorld, _ count: Int, key: AffinityKey? = nil
    ) throws -> String {
        try world.run { pool, _ in
            var names = ""
            for _ in 0..<count { names += try await pool.withConnection(key: key) { $0.name } }
            return names
        }
    }

    // MARK: - Balancing

    @Test func `leases go to the endpoints in turn, each with connections of its own`() throws {
        let world = EndpointWorld()
        #expect(try Self.names(world, 7) == "abcabca")
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
        #expect(try Self.names(EndpointWorld("abc", policy: First()), 4) == "aaaa")
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
        #expect(try Self.names(world, 14) == "aabacaaaabacaa")
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
            let names = Set(try Self.names(world, 4, key: AffinityKey("user \(number)")))
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

    // MARK: - Turning to another endpoint

    @Test func `a request whose endpoint refuses turns to the next within the delay`() throws {
        let world = EndpointWorld("ab") { $0.failoverDelay = .milliseconds(300) }
        world["a"].set(\.refuses, true)
        let begun = world.loop.now
        #expect(try Self.names(world, 1) == "b")
        #expect(world.loop.now - begun <= .milliseconds(310))
        #expect(world.pool.snapshot.failovers == 1)
    }

    @Test func `a request whose endpoint does not answer turns to the next after the delay`() throws
    {
        let world = EndpointWorld("ab") { $0.failoverDelay = .milliseconds(300) }
        world["a"].set(\.dialTime, .seconds(1_000))
        let begun = world.loop.now
        #expect(try Self.names(world, 1) == "b")
        #expect((.milliseconds(300)...(.milliseconds(305))).contains(world.loop.now - begun))
    }

    @Test func `a full endpoint is left for one with room, and is not blamed`() throws {
        let world = EndpointWorld("ab") {
            $0.pool.connectionsMax = 1
            $0.failoverDelay = .milliseconds(50)
            $0.balancing.ejection?.failuresInRowMax = 1
        }
        try world.run { pool, _ in
            let first = try await pool.lease()
            let second = try await pool.lease()
            let taken = first.endpoint.name
            second.release()
            for _ in 0..<4 {
                let name = try await pool.withConnection { $0.name }
                #expect(name != taken)
            }
            first.release()
        }
        #expect(world.pool.snapshot.ejections == 0)
        #expect(world.pool.snapshot.failovers == 4)
    }

    @Test func `an endpoint out of reach is passed over without waiting`() throws {
        let world = EndpointWorld("ab") {
            $0.pool.backoff = Backoff(base: .seconds(100), cap: .seconds(100))
            $0.balancing.ejection = nil
        }
        world["a"].set(\.refuses, true)
        #expect(try Self.names(world, 1) == "b")
        let begun = world.loop.now
        #expect(try Self.names(world, 6) == "bbbbbb")
        #expect(world.loop.now - begun <= .milliseconds(5))
        #expect(world.pool.snapshot.passedOver >= 2)
        #expect(world["a"].dials <= 2)
    }

    @Test func `a server that is back is used again when a dial may be tried`() throws {
        let world = EndpointWorld("ab") {
            $0.pool.backoff = Backoff(base: .seconds(1), cap: .seconds(1))
        }
        world["a"].set(\.refuses, true)
        _ = try Self.names(world, 4)
        world["a"].set(\.refuses, false)
        world.network.run(for: .seconds(40))
        #expect(try Self.names(world, 4).contains("a"))
    }

    @Test func `when all are out of reach, a request waits for one`() throws {
        let world = EndpointWorld("abc") {
            $0.pool.backoff = Backoff(base: .seconds(4), cap: .seconds(4))
        }
        for name in ["a", "b", "c"] { world[name].set(\.refuses, true) }
        let outcome = world.start { pool, _ in
            try await pool.withConnection(deadline: pool.now + .seconds(60)) { $0.name }
        }
        world.network.run(for: .seconds(10))
        #expect(outcome.result == nil)
        for name in ["a", "b", "c"] { world[name].set(\.refuses, false) }
        let isDone = world.network.run(within: .seconds(10)) { outcome.result != nil }
        #expect(isDone)
        #expect(throws: Never.self) { try outcome.result?.get() }
    }

    @Test(arguments: [(0, 1), (1, 2), (2, 3), (7, 8)])
    func `so many others are tried as the limit says`(failoversMax: Int, attempts: Int) throws {
        let world = EndpointWorld("abcdefghij") {
            $0.failoversMax = failoversMax
            $0.failoverDelay = .milliseconds(100)
        }
        for server in world.servers.values { server.set(\.dialTime, .seconds(1_000)) }
        let outcome = world.start { pool, _ in
            try await pool.withConnection(deadline: pool.now + .seconds(5)) { $0.name }
        }
        let begun = world.loop.now
        _ = world.network.run(within: .seconds(20)) { outcome.result != nil }
        let error = try #require(outcome.error)
        #expect(error.reason == .exhausted)
        #expect(error.attempts.count == attempts)
        #expect(Set(error.attempts.map(\.endpoint)).count == attempts)
        #expect((.seconds(5)...(.milliseconds(5_005))).contains(world.loop.now - begun))
        #expect("\(error)".contains("no connection at \(attempts) endpoints; "))
        #expect(world.pool.snapshot.entries.allSatisfy { $0.inFlight == 0 })
    }

    @Test func `a cancelled request says so and leaves nothing behind`() throws {
        let world = EndpointWorld("ab")
        world["a"].set(\.dialTime, .seconds(100))
        let outcome = world.start { pool, _ in try await pool.withConnection { $0.name } }
        #expect(world.pool.snapshot.entries.map(\.inFlight) == [1, 0])
        outcome.task?.cancel()
        world.network.runUntilIdle()
        #expect(outcome.error?.reason == .cancelled)
        #expect(world.pool.snapshot.entries.map(\.inFlight) == [0, 0])
    }

    // MARK: - Ejection

    @Test func `leases that end in failure eject their endpoint`() throws {
        let world = EndpointWorld()
        try world.run { pool, _ in
            var failed = 0
            while failed < 5 {
                let lease = try await pool.lease()
                guard lease.endpoint.name == "b" else { continue }
                failed += 1
                if failed % 2 == 0 { lease.discard() } else { lease.fail() }
            }
        }
        #expect(try world.entry("b").ejectedFor == .seconds(30))
        #expect(world["b"].closed.count == 2, "a failure alone does not cost the connection")
        #expect(try Self.names(world, 4).contains("b") == false)
        world.network.run(for: .seconds(31))
        #expect(try Self.names(world, 3).contains("b"))
        #expect(world.pool.snapshot.ejections == 1)
    }

    @Test func `a body's errors count as it is told`() throws {
        struct Overloaded: Error {}
        struct NoSuchRow: Error {}
        for (error, isEjected) in [(Overloaded() as any Error, true), (NoSuchRow(), false)] {
            let world = EndpointWorld("ab") {
                $0.isFailure = { $0 is Overloaded }
                $0.pool.afterError = .release
            }
            try world.run { pool, _ in
                for _ in 0..<10 {
                    try? await pool.withConnection { visit in
                        if visit.name == "a" { throw error }
                    }
                }
            }
            #expect(try (world.entry("a").ejectedFor != nil) == isEjected)
            #expect(world["a"].closed.isEmpty)
        }
    }

    @Test func `a connection that is closed under its lease counts as a failure`() throws {
        struct Cut: Error {}
        let world = EndpointWorld("ab")
        try world.run { pool, _ in
            for _ in 0..<10 {
                try? await pool.withConnection { visit in
                    guard visit.name == "a" else { return }
                    visit.link.die(tells: true)
                    throw Cut()
                }
            }
        }
        #expect(try world.entry("a").ejectedFor != nil)
    }

    @Test(arguments: [PoolRetry.never, .onStale])
    func `a body that may be repeated is, while idle connections are dead`(retry: PoolRetry) throws
    {
        struct Cut: Error {}
        let world = EndpointWorld("ab")
        // Four idle connections, all dead without anybody's knowing.
        try world.run { pool, _ in
            for _ in 0..<2 {
                let first = try await pool.lease()
                let second = try await pool.lease()
                first.release()
                second.release()
            }
        }
        for server in world.servers.values { server.links.forEach { $0.die(tells: false) } }
        let outcome = world.start { pool, _ in
            try await pool.withConnection(retry: retry) { visit in
                guard visit.link.isDead else { return visit.name }
                visit.link.reporter.closed()
                throw Cut()
            }
        }
        _ = world.network.run(within: .seconds(60)) { outcome.result != nil }
        switch (retry, try #require(outcome.result)) {
        case (.onStale, .success), (.never, .failure(is Cut)): break
        case (_, let result): Issue.record("\(result)")
        }
    }

    // MARK: - Coming and going

    @Test func `a new endpoint gets leases at once, a name only once`() throws {
        let world = EndpointWorld("ab", spare: "c")
        #expect(try Self.names(world, 2) == "ab")
        #expect(world.pool.add(Endpoint(name: "c")))
        #expect(!world.pool.add(Endpoint(name: "c")))
        #expect(try Self.names(world, 3) == "cab")
    }

    @Test func `a new endpoint starts slowly where that is asked for`() throws {
        let world = EndpointWorld("a", spare: "b") {
            $0.balancing.slowStart = SlowStart(window: .seconds(10), shareMin: 0.1)
        }
        world.network.run(for: .seconds(11))
        world.pool.add(Endpoint(name: "b"))
        #expect(try world.entry("b").ramp == 0.1)
        world.network.run(for: .seconds(5))
        #expect(try (0.49...0.51).contains(world.entry("b").ramp))
    }

    @Test func `a removed endpoint is drained, and gets no lease`() throws {
        let world = EndpointWorld("ab")
        let outcome = world.start { pool, loop in
            let lease = try await pool.lease()
            try await loop.pause(.seconds(5))
            let name = lease.endpoint.name
            lease.release()
            return name
        }
        let begun = world.loop.now
        let removed = world.start { pool, loop in
            let isRemoved = await pool.remove("a", drainUntil: pool.now + .seconds(60))
            return (isRemoved, loop.now)
        }
        #expect(try Self.names(world, 3) == "bbb")
        #expect(removed.result == nil, "a lease is out")
        _ = world.network.run(within: .seconds(60)) { removed.result != nil }
        #expect(try outcome.result?.get() == "a")
        let (isRemoved, end) = try #require(removed.result).get()
        #expect(isRemoved && end - begun <= .milliseconds(5_005))
        #expect(world["a"].closed == [0])
        let again = try world.run { pool, _ in await pool.remove("a", drainUntil: pool.now) }
        #expect(!again)
    }

    @Test func `who waits at an endpoint that is removed turns to another`() throws {
        let world = EndpointWorld("ab") { $0.failoversMax = 0 }
        world["a"].set(\.dialTime, .seconds(1_000))
        let outcome = world.start { pool, _ in try await pool.withConnection { $0.name } }
        let removed = world.start { pool, _ in
            await pool.remove("a", drainUntil: pool.now + .seconds(1))
        }
        _ = world.network.run(within: .seconds(20)) { removed.result != nil }
        #expect(try outcome.result?.get() == "b")
    }

    @Test func `without endpoints a request fails at once`() throws {
        let world = EndpointWorld("", spare: "a")
        let outcome = world.start { pool, _ in try await pool.withConnection { $0.name } }
        #expect(outcome.error?.reason == .noEndpoints)
        #expect(outcome.error.map { "\($0)" } == "there is no endpoint")
        world.pool.add(Endpoint(name: "a"))
        #expect(try Self.names(world, 1) == "a")
    }

    // MARK: - The end

    @Test func `after close everything fails at once`() throws {
        let world = EndpointWorld()
        _ = try Self.names(world, 3)
        try world.run { pool, _ in await pool.close() }
        for name in ["a", "b", "c"] { #expect(world[name].closed == [0]) }
        let outcome = world.start { pool, _ in try await pool.withConnection { $0.name } }
        #expect(outcome.error?.reason == .closed)
        if world.pool.tryLease() != nil { Issue.record("the pool is closed") }
        #expect(!world.pool.add(Endpoint(name: "a")))
    }

    @Test func `drain tells who waits and awaits leases that are out`() throws {
        let world = EndpointWorld("ab") { $0.pool.connectionsMax = 1 }
        let holders = (0..<2).map { _ in
            world.start { pool, loop in
                let lease = try await pool.lease()
                try await loop.pause(.seconds(3))
                lease.release()
            }
        }
        let waiter = world.start { pool, _ in try await pool.withConnection { $0.name } }
        let begun = world.loop.now
        try world.run { pool, _ in await pool.drain(until: pool.now + .seconds(60)) }
        #expect((.seconds(3)...(.milliseconds(3_010))).contains(world.loop.now - begun))
        #expect(waiter.error?.reason == .closed)
        #expect(holders.allSatisfy { $0.error == nil && $0.result != nil })
    }

    // MARK: - Properties

    @Test(arguments: PolicyKind.allCases, seeds(15))
    func `whatever happens, every request ends and nothing is left in flight`(
        kind: PolicyKind, seed: UInt64
    ) throws {
        let world = EndpointWorld("abcd", policy: kind.policy, spare: "ef") {
            $0.pool.connectionsMax = 2
            $0.failoverDelay = .milliseconds(200)
            $0.balancing.ejection?.ejectedShareMax = 1
        }
        var random = SeededGenerator(seed: seed)
        var outcomes: [EndpointWorld.Outcome<Void>] = []
        for _ in 0..<60 {
            world.network.run(for: .milliseconds(Int.random(in: 0...400, using: &random)))
            let name = String("abcdef".randomElement(using: &random) ?? "a")
            switch Int.random(in: 0..<12, using: &random) {
            case 0: world[name].set(\.refuses, Bool.random(using: &random))
            case 1:
                let time = Duration.milliseconds(Int.random(in: 0...2_000, using: &random))
                world[name].set(\.dialTime, time)
            case 2: world.pool.add(Endpoint(name: name))
            case 3:
                outcomes.append(
                    world.start { pool, _ in
                        await pool.remove(name, drainUntil: pool.now + .seconds(1))
                    })
            case 4: world[name].links.randomElement(using: &random)?.die(tells: true)
            case 5: outcomes.randomElement(using: &random)?.task?.cancel()
            default:
                let time = Duration.milliseconds(Int.random(in: 0...500, using: &random))
                let (key, isBad) = (
                    AffinityKey(random.next()), Int.random(in: 0..<5, using: &random) == 0
                )
                outcomes.append(
                    world.start { pool, loop in
                        let deadline = pool.now + .seconds(5)
                        let lease = try await pool.lease(key: key, deadline: deadline)
                        try await loop.pause(time)
                        if isBad { lease.discard() } else { lease.release() }
                    })
            }
        }
        let isDone = world.network.run(within: .seconds(30)) {
            outcomes.allSatisfy { $0.result != nil }
        }
        #expect(isDone, "seed \(seed)")
        #expect(world.pool.snapshot.entries.allSatisfy { $0.inFlight == 0 }, "seed \(seed)")
        #expect(world.pool.snapshot.entries.allSatisfy { $0.pool.leases == 0 }, "seed \(seed)")
        try world.run { pool, _ in await pool.close() }
        let isClosed = world.servers.values.allSatisfy { $0.closed.count == $0.links.count }
        #expect(isClosed, "seed \(seed)")
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
