import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

@Suite("TCPConnectionPool, simulated", .timeLimit(.minutes(10)))
struct TCPConnectionPoolTests {
    /// What callers came to.
    private final class Outcomes: Sendable {
        let served = Mutex(0)
        let failed = Mutex<[String]>([])
    }

    @Test func `requests share one connection, one after another`() throws {
        let world = try TCPWorld()
        #expect(try world.ask("one") == "one")
        #expect(try world.ask("two") == "two")
        #expect(world.script.accepted == 1)
    }

    @Test func `an idle connection that the peer closes leaves the pool at once`() throws {
        let world = try TCPWorld()
        try world.ask()
        #expect(world.pool.snapshot.idle == 1)
        try world.serverEnd(0).close()
        world.network.runUntilIdle()
        #expect(world.pool.snapshot.connections == 0)
        #expect(try world.ask() == "hello")
        #expect(world.script.accepted == 2)
    }

    @Test func `so does one that the peer resets`() throws {
        let world = try TCPWorld()
        try world.ask()
        try world.serverEnd(0).abort()
        world.network.runUntilIdle()
        #expect(world.pool.snapshot.connections == 0)
    }

    @Test func `bytes that nobody asked for poison an idle connection`() throws {
        let world = try TCPWorld()
        try world.ask()
        try world.serverEnd(0).write("late".utf8Span.span.bytes)
        world.network.runUntilIdle()
        #expect(world.pool.snapshot.connections == 0)
        #expect(try world.ask("hello") == "hello")
    }

    @Test func `a connection that comes back with bytes unread is not leased again`() throws {
        let world = try TCPWorld()
        let loop = world.loop
        try world.run { pool in
            try await pool.withConnection { connection in
                try await connection.write("never read")
                try await loop.pause(.seconds(1))
            }
        }
        world.network.runUntilIdle()
        #expect(world.pool.snapshot.connections == 0)
        #expect(try world.ask("hello") == "hello")
    }

    @Test func `where the server may speak of itself, its words wait`() throws {
        let world = try TCPWorld(tcp: { tcp, _ in tcp.unasked = .keep })
        try world.ask()
        try world.serverEnd(0).write("news".utf8Span.span.bytes)
        world.network.runUntilIdle()
        let news = try world.run { pool in
            try await pool.withConnection { connection in
                var inbound = connection.inbound.makeAsyncIterator()
                return try await inbound.next().map { String(decoding: $0, as: UTF8.self) }
            }
        }
        #expect(news == "news")
        #expect(world.script.accepted == 1)
    }

    @Test func `a greeting is taken in by the preparation`() throws {
        let world = try TCPWorld(tcp: { tcp, _ in
            tcp.prepare = { connection in
                var inbound = connection.inbound.makeAsyncIterator()
                let greeting = try await inbound.next().map { String(decoding: $0, as: UTF8.self) }
                guard greeting == "welcome" else { throw EarlyEnd() }
            }
        })
        world.script.state.withLock { $0.greeting = "welcome" }
        #expect(try world.ask() == "hello")
        world.script.state.withLock { $0.greeting = "go away" }
        world.pool.replaceConnections()
        let error = try #require(throws: PoolError.self) {
            try world.run { pool in
                try await pool.withConnection(deadline: pool.now + .seconds(1)) { _ in }
            }
        }
        #expect(error.lastDialError is EarlyEnd)
        #expect(world.script.open.isEmpty)
    }

    @Test func `a keepalive finds a peer that is there no more`() throws {
        let world = try TCPWorld {
            $0.keepAliveInterval = .seconds(30)
            $0.keepAliveTimeout = .seconds(2)
        } tcp: { tcp, _ in
            tcp.keepAlive = { connection in _ = try await connection.ask("alive?") }
        }
        try world.ask()
        world.network.run(for: .seconds(40))
        #expect(world.pool.counters.probes == 1)
        #expect(world.pool.snapshot.idle == 1)
        // Half open: the peer's machine is gone, and said nothing.
        world.script.state.withLock { $0.answers = false }
        world.network.run(for: .seconds(40))
        #expect(world.pool.snapshot.connections == 0)
    }

    @Test(arguments: [2, .max])
    func `a request that is safe to repeat survives the death of its connection`(
        staleTriesMax: Int
    ) throws {
        let world = try TCPWorld { $0.staleTriesMax = staleTriesMax }
        try world.ask()
        world.script.state.withLock { $0.answers = false }
        let (script, loop) = (world.script, world.loop)
        let tries = Atomic<Int>(0)
        let answer = try world.run { pool in
            try await pool.withConnection(retry: .onStale) { connection in
                if tries.wrappingAdd(1, ordering: .relaxed).newValue == 1 {
                    loop.connection(script.open[0])?.abort()
                    script.state.withLock { $0.answers = true }
                }
                return try await connection.ask("again")
            }
        }
        #expect(answer == "again")
        #expect(tries.load(ordering: .relaxed) == 2)
    }

    @Test func `one that is not safe to repeat is not repeated`() throws {
        let world = try TCPWorld()
        try world.ask()
        let (script, loop) = (world.script, world.loop)
        let tries = Atomic<Int>(0)
        #expect(throws: (any Error).self) {
            try world.run { pool in
                try await pool.withConnection { connection in
                    tries.add(1, ordering: .relaxed)
                    loop.connection(script.open[0])?.abort()
                    return try await connection.ask("again")
                }
            }
        }
        #expect(tries.load(ordering: .relaxed) == 1)
    }

    @Test func `a connection to a host knows which of its addresses it leads to`() throws {
        let world = try TCPWorld(host: "db.example") { _ in
        } tcp: { tcp, loop in
            let resolver = SimulatedResolver(loop: loop)
            try resolver.answer("db.example", .v4, ["127.0.0.9", "127.0.0.1"])
            tcp.resolver = resolver
        }
        let peer = try world.run { try await $0.withConnection { $0.peer } }
        #expect(peer == world.listener.address)
    }

    @Test func `connections are replaced as they come back when a host's addresses change`() throws
    {
        var resolver: SimulatedResolver?
        let world = try TCPWorld(host: "db.example") {
            $0.idleTimeout = nil
        } tcp: { tcp, loop in
            let scripted = SimulatedResolver(loop: loop)
            try scripted.answer("db.example", .v4, ["127.0.0.1"])
            resolver = scripted
            tcp.resolver = scripted
            tcp.refreshInterval = .seconds(30)
        }
        try world.ask()
        world.network.run(for: .seconds(100))
        #expect(world.script.accepted == 1)
        #expect(world.pool.snapshot.idle == 1)
        try resolver?.answer("db.example", .v4, ["127.0.0.1", "127.0.0.2"])
        world.network.run(for: .seconds(31))
        #expect(world.pool.snapshot.connections == 0)
        try world.ask()
        #expect(world.script.accepted == 2)
    }

    @Test func `a black hole costs the dial's time and is told as the reason`() throws {
        let world = try TCPWorld { $0.dialTimeout = .seconds(3) }
        world.network.setRoute(.blackHole, to: world.listener.address)
        let error = try #require(throws: PoolError.self) {
            try world.run { pool in
                try await pool.withConnection(deadline: pool.now + .seconds(5)) { _ in }
            }
        }
        #expect(error.lastDialError != nil)
        #expect(world.pool.counters.dialsFailed >= 1)
        world.network.setRoute(.open, to: world.listener.address)
        #expect(try world.ask() == "hello")
    }

    @Test func `after an outage the pool is back within the bound of its pauses`() throws {
        let (cap, openTimeMax) = (Duration.seconds(1), Duration.seconds(2))
        let world = try TCPWorld {
            $0.backoff = Backoff(base: .milliseconds(10), cap: cap)
            var breaker = CircuitBreaker.Configuration()
            breaker.openTime = .milliseconds(100)
            breaker.openTimeMax = openTimeMax
            $0.breaker = breaker
            $0.leaseTimeout = .seconds(300)
        }
        try world.ask()
        world.network.setRoute(.refused, to: world.listener.address)
        try world.serverEnd(0).abort()
        let outcomes = Outcomes()
        for index in 0..<500 {
            let pool = world.pool
            Task(executorPreference: world.loop) {
                do {
                    let text = "caller \(index)"
                    let answer = try await pool.withConnection(retry: .onStale) {
                        try await $0.ask(text)
                    }
                    if answer == text { outcomes.served.withLock { $0 += 1 } }
                } catch {
                    outcomes.failed.withLock { $0.append("\(error)") }
                }
            }
        }
        world.network.run(for: .seconds(60))
        #expect(outcomes.served.withLock { $0 } == 0)
        // Seldom enough not to hurt a server that is starting.
        #expect(world.pool.counters.dialsFailed < 200)
        world.network.setRoute(.open, to: world.listener.address)
        let isBack = world.network.run(within: cap + openTimeMax) {
            outcomes.served.withLock { $0 } == 500
        }
        #expect(isBack)
        #expect(outcomes.failed.withLock { $0 } == [])
    }

    @Test func `draining ends connections in an orderly way`() throws {
        let world = try TCPWorld()
        try world.ask()
        try world.run { await $0.drain(until: $0.now + .seconds(10)) }
        #expect(world.script.open.isEmpty)
        #expect(world.pool.snapshot.state == .closed)
    }
}
