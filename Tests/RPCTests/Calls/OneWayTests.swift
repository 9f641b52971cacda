import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("One-way calls and the end of their connection, simulated", .timeLimit(.minutes(10)))
struct OneWayTests {
    private enum Note: RPCService {
        static let serviceName = "test.Note"
        static let take = unary("Take", [UInt8].self, [UInt8].self)
    }

    /// What became of the calls that a handler holds for two seconds.
    private final class Held: Sendable {
        struct Counts {
            var started = 0
            var finished = 0
            var cancelled = 0
        }

        let counts = Mutex(Counts())
        var started: Int { counts.withLock { $0.started } }
        var finished: Int { counts.withLock { $0.finished } }
        var cancelled: Int { counts.withLock { $0.cancelled } }
    }

    private let held = Held()

    private func makeWorld(_ configuration: RPCConfiguration = .init()) throws -> RPCWorld {
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Note.take, on: .loop) { [held] request, context in
            held.counts.withLock { $0.started += 1 }
            do {
                try await context.connection.loop.clock.sleep(for: .seconds(2))
                held.counts.withLock { $0.finished += 1 }
            } catch {
                held.counts.withLock { $0.cancelled += 1 }
                throw error
            }
            return request
        }
        return try RPCWorld(configuration: configuration, handlers: handlers)
    }

    private func makeClient(_ world: RPCWorld) -> RPCClient {
        RPCClient(to: .address(world.address), on: [world.loop])
    }

    /// Whether the client knows the extensions, and has talked to the server before.
    @Test(arguments: [(true, true), (true, false), (false, true)])
    func `a call that its handler holds ends well after its client has drained`(
        negotiates: Bool, isWarm: Bool
    ) throws {
        var configuration = RPCConfiguration()
        configuration.negotiatesExtensions = negotiates
        let world = try makeWorld(configuration)
        let client = makeClient(world)
        if isWarm {
            _ = try world.run { try await client.call(Echo.echo, []) }
            world.network.runUntilIdle()
        }
        for _ in 0..<3 { try world.run { try await client.send(Note.take, []) } }
        try world.run { await client.drain() }
        world.network.run(for: .seconds(3))
        #expect(held.started == 3)
        #expect(held.finished == 3)
        // The listener alone is left.
        #expect(world.network.openDescriptors == 1)
        let peers = world.server.shards.shard(of: world.loop).connections
        #expect(peers.isEmpty)
    }

    /// A client that ends its side when it has sent a one-way call, and one that is awaited.
    private func leave(_ world: RPCWorld, timeout: Duration = .seconds(30)) throws {
        let connection = try world.connect()
        try world.negotiate(connection)
        let options = CallOptions(timeout: timeout)
        try world.run { try await connection.send(Note.take, [], options: options) }
        let awaited = world.start { try await connection.call(Note.take, []) }
        world.network.runUntilIdle()
        connection.loop.execute { connection.peer.connection.close() }
        world.network.runUntilIdle()
        #expect(awaited.error?.code == .unavailable)
    }

    @Test func `those that are awaited are cancelled at the end of the client's bytes`() throws {
        let world = try makeWorld()
        try leave(world)
        world.network.run(for: .seconds(3))
        #expect(held.started == 2)
        #expect(held.finished == 1)
        #expect(held.cancelled == 1)
    }

    @Test func `one whose connection ended is cancelled at its deadline`() throws {
        let world = try makeWorld()
        try leave(world, timeout: .seconds(1))
        world.network.run(for: .milliseconds(900))
        #expect(held.cancelled == 1)
        world.network.run(for: .milliseconds(200))
        #expect(held.cancelled == 2)
    }

    @Test func `a server's drain waits for them, until its deadline`() throws {
        for (deadline, finished) in [(5, 1), (1, 0)] {
            let before = held.finished
            let world = try makeWorld()
            try leave(world)
            let drain = world.start { [server = world.server] in
                await server.drain(deadline: .seconds(deadline))
            }
            world.network.run(for: .milliseconds(900))
            #expect(!drain.isOver)
            world.network.run(for: .milliseconds(1_500))
            #expect(drain.isOver)
            #expect(held.finished - before == finished)
        }
    }

    /// Many connections with a one-way call and one that is awaited each, of a loop that ends two of
    /// them in a turn.
    private func makeBusy() throws -> (RPCWorld, [RPCConnection]) {
        let world = try RPCWorld(closesPerTurnMax: 2)
        let options = CallOptions(timeout: .seconds(300))
        let connections = try (0..<20).map { _ in
            let connection = try world.connect()
            try world.negotiate(connection)
            try world.run { try await connection.send(Echo.wait, [], options: options) }
            _ = world.start { try await connection.call(Echo.wait, [], options: options) }
            world.network.runUntilIdle()
            return connection
        }
        return (world, connections)
    }

    /// All clients end their sides.
    private func leave(_ connections: [RPCConnection]) {
        for connection in connections {
            connection.loop.execute { connection.peer.connection.close() }
        }
    }

    @Test func `those whose clients leave while a drain aborts others end at its deadline too`()
        throws
    {
        let (world, connections) = try makeBusy()
        let peers = world.server.peers(on: world.loop).map(\.peer)
        var haveLeft = false
        world.network.runTurn = { [unowned world] loop in
            loop.turn(until: world.network.now)
            guard !haveLeft, peers.contains(where: { $0.connection.isEnded }) else { return }
            haveLeft = true
            leave(connections)
        }
        let drain = world.start { [server = world.server] in
            await server.drain(deadline: .seconds(2))
        }
        world.network.run(for: .seconds(3))
        #expect(haveLeft)
        #expect(drain.isOver)
        #expect(world.witness.cancelled == 40)
        #expect(peers[0].shelf.outliving == 0)
    }

    @Test func `those whose ends wait for later turns at a drain's deadline end too`() throws {
        let (world, connections) = try makeBusy()
        let shelf = try #require(world.server.peers(on: world.loop).first).peer.shelf
        leave(connections)
        let drain = world.start { [server = world.server] in
            await server.drain(deadline: .zero)
        }
        world.network.run(for: .seconds(1))
        #expect(drain.isOver)
        #expect(world.witness.cancelled == 40)
        #expect(shelf.outliving == 0)
    }

    @Test func `a connection that is reset takes them with it`() throws {
        let world = try makeWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        try world.run { try await connection.send(Note.take, []) }
        world.network.runUntilIdle()
        connection.close()
        world.network.runUntilIdle()
        #expect(held.cancelled == 1)
    }

    @Test func `not more than so many outlive their connections`() throws {
        let world = try makeWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let shelf = try #require(world.server.peers(on: world.loop).first).peer.shelf
        shelf.outliving = ServedCallShelf.outlivingMax - 1
        for _ in 0..<3 { try world.run { try await connection.send(Note.take, []) } }
        connection.drain()
        world.network.run(for: .seconds(3))
        #expect(held.finished == 1)
        #expect(held.cancelled == 2)
        #expect(shelf.outliving == ServedCallShelf.outlivingMax - 1)
    }

    @Test func `a client that is closed waits for none`() throws {
        var configuration = RPCConfiguration()
        configuration.negotiatesExtensions = false
        let world = try makeWorld(configuration)
        let client = makeClient(world)
        try world.run { try await client.send(Note.take, []) }
        world.network.runUntilIdle()
        let before = world.network.now
        try world.run { await client.close() }
        #expect(world.network.now - before < .milliseconds(100))
        world.network.runUntilIdle()
        #expect(world.network.openDescriptors == 1)
    }

    /// Of a drain, and when the connection ends; calls may take 30 s.
    @Test(arguments: [(10, 10), (60, 30)])
    func `one that a plain server does not answer is waited for as long as drain and calls last`(
        deadline: Int, end: Int
    ) throws {
        var configuration = RPCConfiguration()
        configuration.negotiatesExtensions = false
        let world = try makeWorld(configuration)
        let client = makeClient(world)
        let options = CallOptions(timeout: .seconds(300))
        try world.run { try await client.send(Echo.wait, [], options: options) }
        world.network.runUntilIdle()
        let drain = world.start { await client.drain(deadline: .seconds(deadline)) }
        world.network.run(for: .seconds(end - 1))
        #expect(drain.isOver)
        #expect(world.network.openDescriptors > 1)
        world.network.run(for: .seconds(2))
        #expect(world.network.openDescriptors == 1)
    }
}
