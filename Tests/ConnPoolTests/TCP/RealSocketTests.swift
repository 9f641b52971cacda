import NetPoll
import Synchronization
import Testing

@testable import ConnPool

@Suite("TCPConnectionPool on real sockets", .timeLimit(.minutes(10)))
struct RealSocketTests {
    private final class Echo: ConnectionHandler, Sendable {
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            connection.write(bytes.bytes)
        }
    }

    /// What callers on many threads came to.
    private final class Tally: Sendable {
        let count = Atomic<Int>(0)
        let mayEnd = Atomic<Bool>(false)
        let failures = Mutex<[String]>([])

        func add() { count.add(1, ordering: .relaxed) }

        var value: Int { count.load(ordering: .relaxed) }
    }

    /// An echo server, until its group is shut down.
    private func serve(
        on address: SocketAddress = .v4(0x0100_007f, port: 0)
    ) async throws -> (EventLoopGroup, SocketAddress) {
        let group = try makeGroup(loops: 1)
        let listener = try await group.listen(on: address) { _, _ in Echo() }
        return (group, listener.address)
    }

    private func makeGroup(loops: Int) throws -> EventLoopGroup {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = loops
        return try EventLoopGroup(configuration: configuration)
    }

    /// Listens where nobody ever accepts: the kernel completes as many handshakes as the backlog has
    /// room for, and leaves further ones without an answer. The loop is never turned.
    private func listenDeaf(backlog: Int) throws -> (EventLoop, SocketAddress) {
        let loop = EventLoop(driver: try Platform.makeDriver())
        loop.bindToCurrentThread()
        var configuration = Listener.Configuration()
        configuration.backlog = backlog
        let listener = try loop.listen(
            on: .v4(0x0100_007f, port: 0), configuration: configuration
        ) { _, _ in Echo() }
        return (loop, listener.address)
    }

    private func shutDown(_ loop: EventLoop) {
        loop.bindToCurrentThread()
        loop.shutDown()
    }

    @Test func `a server killed and restarted under 500 callers is not noticed by them`()
        async throws
    {
        // 127.77.0.1, which is nobody else's: no other test takes the port while the server is away.
        var (server, address) = try await serve(on: .v4(0x0100_4d7f, port: 0))
        let clients = try makeGroup(loops: 2)
        var configuration = PoolConfiguration()
        configuration.connectionsMax = 32
        configuration.leaseTimeout = .seconds(300)
        configuration.backoff = Backoff(base: .milliseconds(5), cap: .milliseconds(100))
        var breaker = CircuitBreaker.Configuration()
        breaker.openTime = .milliseconds(50)
        breaker.openTimeMax = .milliseconds(100)
        configuration.breaker = breaker
        configuration.staleTriesMax = 5
        let pool = TCPConnectionPool(
            to: .address(address), on: clients.loops, configuration: configuration)
        let events = pool.events
        let tally = Tally()
        let callers = Task {
            await withTaskGroup { group in
                for index in 0..<500 {
                    group.addTask(executorPreference: index % 2 == 0 ? clients.loops[0] : nil) {
                        var rounds = 0
                        while rounds < 10 || !tally.mayEnd.load(ordering: .relaxed) {
                            rounds += 1
                            do {
                                let answer = try await pool.withConnection(retry: .onStale) {
                                    try await $0.ask("caller \(index)")
                                }
                                if answer != "caller \(index)" { throw EarlyEnd() }
                                tally.add()
                            } catch {
                                tally.failures.withLock { $0.append("\(error)") }
                            }
                        }
                    }
                }
            }
        }
        for _ in 0..<3 {
            let before = tally.value
            while tally.value < before + 600 { await Task.yield() }
            await server.shutdown()
            // It is missed: somebody dialled in vain.
            for await case .dialFailed in events { break }
            (server, _) = try await serve(on: address)
            // The next dial is due within the bound of the pauses, or is under way and decides.
            let (opens, latest) = pool.driver.read { state in
                let now = pool.now
                return (state.core.gate.opensAt(now), now + .milliseconds(100))
            }
            #expect(opens <= latest || opens == .never)
            for await case .established in events { break }
        }
        tally.mayEnd.store(true, ordering: .relaxed)
        await callers.value
        #expect(tally.failures.withLock { $0 } == [])
        // Leases that end elsewhere come back by way of the connection's loop.
        while pool.snapshot.leases > 0 { await Task.yield() }
        #expect(pool.snapshot.waiters == 0)
        #expect(pool.snapshot.connections <= 32)
        #expect(pool.counters.leased == pool.counters.returned)
        await pool.close()
        await clients.shutdown()
        await server.shutdown()
    }

    @Test func `a server that drops SYNs costs the dial's time, and then works again`() async throws
    {
        let (deaf, address) = try listenDeaf(backlog: 1)
        let clients = try makeGroup(loops: 1)
        // Fill the backlog: from now on nobody answers.
        var patience = ConnectConfiguration()
        patience.timeout = .milliseconds(300)
        var held: [AsyncConnection] = []
        var isFull = false
        while !isFull, held.count < 50 {
            do {
                held.append(
                    try await Connection.connect(
                        to: address, on: clients.loops[0], configuration: patience))
            } catch {
                isFull = true
            }
        }
        try #require(isFull)
        var configuration = PoolConfiguration()
        configuration.connectionsMax = 2
        configuration.dialTimeout = .milliseconds(100)
        configuration.failsFast = false
        let pool = TCPConnectionPool(
            to: .address(address), on: clients.loops, configuration: configuration)
        let error = await #expect(throws: PoolError.self) {
            try await pool.withConnection(deadline: pool.now + .milliseconds(500)) { _ in }
        }
        #expect(error?.reason == .timedOut)
        #expect(error?.lastDialError != nil)
        #expect(pool.counters.dialsFailed >= 1)
        await pool.close()
        #expect(pool.snapshot.connections == 0)
        for connection in held { connection.abort() }
        await clients.shutdown()
        shutDown(deaf)
    }

    @Test func `a peer that is half open is found by the keepalive, within its deadline`()
        async throws
    {
        // The handshake succeeds, and nothing ever comes: the process behind is gone or stuck.
        let (deaf, address) = try listenDeaf(backlog: 16)
        let clients = try makeGroup(loops: 1)
        var configuration = PoolConfiguration()
        configuration.keepAliveInterval = .milliseconds(50)
        configuration.keepAliveTimeout = .milliseconds(50)
        var tcp = TCPPoolConfiguration()
        tcp.keepAlive = { connection in _ = try await connection.ask("alive?") }
        let pool = TCPConnectionPool(
            to: .address(address), on: clients.loops, configuration: configuration, tcp: tcp)
        let events = pool.events
        try await pool.withConnection { _ in }
        var reason: PoolCloseReason?
        for await event in events {
            guard case .closing(_, let found) = event else { continue }
            reason = found
            break
        }
        #expect(reason == .unanswered)
        #expect(pool.snapshot.idle == 0)
        await pool.close()
        await clients.shutdown()
        shutDown(deaf)
    }

    @Test func `a peer that closes while idle is gone before anybody asks`() async throws {
        let (server, address) = try await serve()
        let clients = try makeGroup(loops: 1)
        let pool = TCPConnectionPool(to: .address(address), on: clients.loops)
        let events = pool.events
        #expect(try await pool.withConnection { try await $0.ask("one") } == "one")
        await server.shutdown()
        for await event in events {
            if case .closing(_, let reason) = event {
                #expect(reason == .closedByPeer)
                break
            }
        }
        #expect(pool.snapshot.idle == 0)
        let (again, _) = try await serve(on: address)
        #expect(try await pool.withConnection { try await $0.ask("two") } == "two")
        await pool.close()
        await clients.shutdown()
        await again.shutdown()
    }

    @Test func `requests do not wait for a loop that was shut down`() async throws {
        let clients = try makeGroup(loops: 1)
        let (deaf, address) = try listenDeaf(backlog: 1)
        let pool = TCPConnectionPool(to: .address(address), on: clients.loops)
        await clients.shutdown()
        let error = await #expect(throws: PoolError.self) {
            try await pool.withConnection { _ in }
        }
        #expect(error?.reason == .closed)
        shutDown(deaf)
    }

    @Test func `a spike of 50 requests ends with at most 6 connections`() async throws {
        let (server, address) = try await serve()
        let clients = try makeGroup(loops: 1)
        let loop = clients.loops[0]
        let milliseconds = Tally()
        var configuration = PoolConfiguration()
        configuration.connectionsMax = 50
        var tcp = TCPPoolConfiguration()
        tcp.prepare = { _ in
            try await loop.pause(.milliseconds(milliseconds.value))
        }
        let pool = TCPConnectionPool(
            to: .address(address), on: [loop], configuration: configuration, tcp: tcp)
        // 5 that are leased at the same time, then idle.
        let arrived = Tally()
        try await withThrowingTaskGroup { group in
            for _ in 0..<5 {
                group.addTask(executorPreference: loop) {
                    try await pool.withConnection { _ in
                        arrived.add()
                        while arrived.value < 5 {
                            try await loop.pause(.milliseconds(1))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        try #require(pool.snapshot.idle == 5)
        milliseconds.count.store(150, ordering: .relaxed)
        let begun = pool.now
        try await withThrowingTaskGroup { group in
            for _ in 0..<50 {
                group.addTask(executorPreference: loop) {
                    try await pool.withConnection { _ in try await loop.pause(.milliseconds(2)) }
                }
            }
            try await group.waitForAll()
        }
        let time = pool.now - begun
        while pool.snapshot.dialling > 0 { try await loop.pause(.milliseconds(1)) }
        #expect(pool.counters.leased == 55)
        // Where the machine is so slow that the first dial ends while others wait, more may follow.
        let late = Int(time / .milliseconds(150))
        #expect(pool.snapshot.connections <= 6 + late * configuration.dialsMax)
        await pool.close()
        await clients.shutdown()
        await server.shutdown()
    }
}
