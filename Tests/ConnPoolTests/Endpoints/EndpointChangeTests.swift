import NetPoll
import NetPollTesting
import Seeds
import Testing

@testable import ConnPool

@Suite("EndpointPool: coming, going and the end", .timeLimit(.minutes(10)))
struct EndpointChangeTests {
    @Test func `a new endpoint gets leases at once, a name only once`() throws {
        let world = EndpointWorld("ab", spare: "c")
        #expect(try world.names(2) == "ab")
        #expect(world.pool.add(Endpoint(name: "c")))
        #expect(!world.pool.add(Endpoint(name: "c")))
        #expect(try world.names(3) == "cab")
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
        #expect(try world.names(3) == "bbb")
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
        #expect(try world.names(1) == "a")
    }

    @Test func `after close everything fails at once`() throws {
        let world = EndpointWorld()
        _ = try world.names(3)
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
}
