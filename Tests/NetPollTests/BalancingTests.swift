import NetPoll
import Synchronization
import Testing

/// `AcceptTests` has the choice of a loop on simulated ones.
@Suite("Balancing over real loops", .timeLimit(.minutes(10)))
struct BalancingTests {
    /// Tells which loop it is on, then echoes; counts connections by loop.
    private final class Placed: ConnectionHandler, Sendable {
        let ended = Mutex(0)

        func opened(_ connection: Connection) {
            connection.write(bytes: [UInt8(connection.loop.index)])
        }

        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            connection.write(bytes.bytes)
        }

        func closed(_ connection: Connection, reason: CloseReason) { ended.withLock { $0 += 1 } }
    }

    /// A group of three loops that listens, and a loop that dials it.
    private struct Setup {
        let servers: EventLoopGroup
        let clients: EventLoopGroup
        let listener: ListenerGroup
        let handler = Placed()

        init(_ balancing: ListenerGroup.Balancing) async throws {
            var configuration = EventLoopGroup.Configuration()
            configuration.loops = 3
            servers = try EventLoopGroup(configuration: configuration)
            configuration.loops = 1
            clients = try EventLoopGroup(configuration: configuration)
            var listening = Listener.Configuration()
            listening.balancing = balancing
            listener = try await servers.listen(
                on: SocketAddress(host: "127.0.0.1", port: 0), configuration: listening
            ) { [handler] _, _ in handler }
        }

        /// Connects from a host of the loopback network, and returns the loop that serves it once
        /// an echo came from there.
        func dial(
            from host: String = "127.0.0.1"
        ) async throws -> (connection: AsyncConnection, loop: Int) {
            var configuration = ConnectConfiguration()
            configuration.localAddress = try SocketAddress(host: host, port: 0)
            let connection = try await Connection.connect(
                to: listener.address, on: clients.loops[0], configuration: configuration)
            try await connection.write("echo")
            var received: [UInt8] = []
            for try await bytes in connection.inbound {
                received += Array(bytes)
                if received.count >= 5 { break }
            }
            let index = try #require(received.first)
            #expect(received.dropFirst() == ArraySlice("echo".utf8))
            return (connection, Int(index))
        }

        func end() async {
            await clients.shutdown()
            await servers.shutdown()
        }
    }

    @Test func `in turn, each loop gets as many as the others`() async throws {
        let setup = try await Setup(.roundRobin)
        var places: [Int] = []
        for _ in 0..<12 { places.append(try await setup.dial().loop) }
        #expect(places == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
        await setup.end()
    }

    @Test func `the loop with the fewest connections gets the next ones`() async throws {
        let setup = try await Setup(.leastConnections)
        var dialled: [(connection: AsyncConnection, loop: Int)] = []
        for _ in 0..<12 { dialled.append(try await setup.dial()) }
        for loop in 0..<3 { #expect(dialled.count { $0.loop == loop } == 4) }
        for (connection, loop) in dialled where loop == 1 { await connection.close() }
        // The counts fall before handlers are told.
        while setup.handler.ended.withLock({ $0 }) < 4 { await Task.yield() }
        for _ in 0..<4 { #expect(try await setup.dial().loop == 1) }
        var next: [Int] = []
        for _ in 0..<3 { next.append(try await setup.dial().loop) }
        #expect(Set(next) == [0, 1, 2], "all have five")
        await setup.end()
    }

    @Test func `a host's connections are all on one loop, and hosts spread over the loops`()
        async throws
    {
        let setup = try await Setup(.sourceHash)
        var loops: [String: Int] = [:]
        for last in 1...24 {
            let host = "127.0.0.\(last)"
            let first = try await setup.dial(from: host).loop
            for _ in 0..<2 { #expect(try await setup.dial(from: host).loop == first, "\(host)") }
            loops[host] = first
        }
        #expect(Set(loops.values) == [0, 1, 2])
        await setup.end()
    }
}
