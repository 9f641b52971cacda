import NetPoll
import NetPollTesting
import Testing

@testable import ConnPool

@Suite("EndpointPool: endpoints that fail", .timeLimit(.minutes(10)))
struct EndpointFailureTests {
    // MARK: - Turning to another endpoint

    @Test func `a request whose endpoint refuses turns to the next within the delay`() throws {
        let world = EndpointWorld("ab") { $0.failoverDelay = .milliseconds(300) }
        world["a"].set(\.refuses, true)
        let begun = world.loop.now
        #expect(try world.names(1) == "b")
        #expect(world.loop.now - begun <= .milliseconds(310))
        #expect(world.pool.snapshot.failovers == 1)
    }

    @Test func `a request whose endpoint does not answer turns to the next after the delay`() throws
    {
        let world = EndpointWorld("ab") { $0.failoverDelay = .milliseconds(300) }
        world["a"].set(\.dialTime, .seconds(1_000))
        let begun = world.loop.now
        #expect(try world.names(1) == "b")
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
        #expect(try world.names(1) == "b")
        let begun = world.loop.now
        #expect(try world.names(6) == "bbbbbb")
        #expect(world.loop.now - begun <= .milliseconds(5))
        #expect(world.pool.snapshot.passedOver >= 2)
        #expect(world["a"].dials <= 2)
    }

    @Test func `a server that is back is used again when a dial may be tried`() throws {
        let world = EndpointWorld("ab") {
            $0.pool.backoff = Backoff(base: .seconds(1), cap: .seconds(1))
        }
        world["a"].set(\.refuses, true)
        _ = try world.names(4)
        world["a"].set(\.refuses, false)
        world.network.run(for: .seconds(40))
        #expect(try world.names(4).contains("a"))
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
        #expect(try world.names(4).contains("b") == false)
        world.network.run(for: .seconds(31))
        #expect(try world.names(3).contains("b"))
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

    @Test(arguments: [PoolRetry.never, .onStale], [2, .max])
    func `a body that may be repeated is, while idle connections are dead`(
        retry: PoolRetry, staleTriesMax: Int
    ) throws {
        struct Cut: Error {}
        let world = EndpointWorld("ab") { $0.pool.staleTriesMax = staleTriesMax }
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
}
