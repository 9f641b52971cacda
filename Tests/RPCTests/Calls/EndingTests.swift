import NetPoll
import NetPollTesting
import Testing

@testable import RPC

@Suite("The end of connections, simulated", .timeLimit(.minutes(10)))
struct EndingTests {
    @Test func `what is left at the deadline of a server's drain is aborted`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let options = CallOptions(timeout: .seconds(300))
        let call = world.start { try await connection.call(Echo.wait, [], options: options) }
        world.network.runUntilIdle()
        let drain = world.start { [server = world.server] in
            await server.drain(deadline: .seconds(3))
        }
        world.network.run(for: .milliseconds(2_900))
        #expect(!drain.isOver && !call.isOver)
        world.network.run(for: .milliseconds(200))
        #expect(drain.isOver)
        #expect(call.error?.code == .unavailable)
        #expect(call.error?.execution == .unknown)
        #expect(world.witness.cancelled == 1)
        #expect(world.network.openDescriptors == 0)
    }

    @Test func `a server without calls drains at once`() throws {
        let world = try RPCWorld()
        try world.negotiate(world.connect())
        let start = world.network.now
        try world.run { [server = world.server] in await server.drain(deadline: .seconds(60)) }
        #expect(world.network.now - start < .seconds(1))
        world.network.runUntilIdle()
        #expect(world.network.openDescriptors == 0)
    }

    @Test func `a turn of draining tells, and aborts, no more than the loop's bound`() throws {
        let world = try RPCWorld(closesPerTurnMax: 4)
        let connections = try (0..<21).map { _ in try world.connect() }
        for connection in connections { try world.negotiate(connection) }
        let options = CallOptions(timeout: .seconds(300))
        let calls = connections.map { connection in
            world.start { try await connection.call(Echo.wait, [], options: options) }
        }
        world.network.runUntilIdle()
        let peers = world.server.peers(on: world.loop).map(\.peer)
        var (told, aborted) = ([0], [0])
        world.network.runTurn = { [unowned world] loop in
            loop.turn(until: world.network.now)
            told.append(peers.count { $0.core.isDraining })
            aborted.append(peers.count { $0.connection.isEnded })
        }
        // Of the loop's connections half are the clients' ends.
        func isSpread(_ counts: [Int]) -> Bool {
            zip(counts, counts.dropFirst()).allSatisfy { $1 - $0 <= 4 } && counts.last == 21
        }
        let drain = world.start { [server = world.server] in
            await server.drain(deadline: .seconds(2))
        }
        world.network.runUntilIdle()
        #expect(isSpread(told), "\(told)")
        #expect(aborted.last == 0 && !drain.isOver)
        world.network.run(for: .seconds(3))
        #expect(isSpread(aborted), "\(aborted)")
        #expect(drain.isOver)
        #expect(calls.allSatisfy { $0.error?.code == .unavailable })
    }

    @Test func `the loops of a server drain at the same time`() throws {
        let world = try RPCWorld(loops: 3)
        let connections = try (0..<6).map { _ in try world.connect() }
        let options = CallOptions(timeout: .seconds(300))
        let calls = connections.map { connection in
            world.start { try await connection.call(Echo.wait, [], options: options) }
        }
        world.network.runUntilIdle()
        let busy = world.group.loops.count { !world.server.peers(on: $0).isEmpty }
        #expect(busy > 1)
        let drain = world.start { [server = world.server] in
            await server.drain(deadline: .seconds(3))
        }
        world.network.run(for: .milliseconds(2_900))
        #expect(!drain.isOver)
        world.network.run(for: .milliseconds(200))
        #expect(drain.isOver && calls.allSatisfy(\.isOver))
    }

    @Test func `connections that were made together do not reach their age together`() throws {
        var configuration = RPCConfiguration()
        configuration.ageMax = .seconds(100)
        configuration.ageJitter = 0.5
        let world = try RPCWorld(configuration: configuration)
        for _ in 0..<20 { try world.negotiate(world.connect()) }
        func left() -> Int { world.server.peers(on: world.loop).count }
        world.network.run(for: .seconds(49))
        #expect(left() == 20)
        world.network.run(for: .seconds(26))
        #expect((1..<20).contains(left()))
        world.network.run(for: .seconds(26))
        #expect(left() == 0)
    }

    @Test func `a connection that reaches its age before its first call is ended later`() throws {
        var configuration = RPCConfiguration()
        configuration.ageMax = .seconds(100)
        let world = try RPCWorld(configuration: configuration)
        let connection = try world.connect()
        world.network.run(for: .seconds(150))
        try world.negotiate(connection)
        #expect(world.server.peers(on: world.loop).count == 1)
        world.network.run(for: .seconds(60))
        #expect(world.server.peers(on: world.loop).isEmpty)
    }

    @Test func `a client that sends no more is given what was answered, and nothing else`() throws {
        let world = try RPCWorld()
        let peer = try #require(world.network.connect(to: world.address))
        func request(_ id: UInt32, _ method: UnaryMethod<[UInt8], [UInt8]>) -> [UInt8] {
            Sample.request(id, service: method.service, method: method.name, [7]).bytes
        }
        peer.send(request(1, Echo.inline) + request(3, Echo.wait))
        world.network.runUntilIdle()
        #expect(world.witness.started == 1 && world.witness.cancelled == 0)
        peer.sendEnd()
        world.network.runUntilIdle()
        #expect(world.witness.cancelled == 1)
        #expect(peer.isEnded && !peer.isReset)
        #expect(peer.takeReceived() == Sample.response(1, [7]).bytes)
        #expect(world.server.peers(on: world.loop).isEmpty)
    }

    private enum Pouring: RPCService {
        static let serviceName = "test.Pouring"
        static let pour = serverStreaming("Pour", [UInt8].self, [UInt8].self)
    }

    /// Knows one end of a connection, and does not keep it.
    private struct Trace {
        weak var peer: PeerConnection?
    }

    /// A connection with calls of all kinds, over and not over, that is lost.
    private func lose(_ world: RPCWorld, _ configuration: RPCConfiguration) throws -> [Trace] {
        let connection = try world.connect(configuration)
        try world.negotiate(connection)
        _ = try world.run { try await connection.call(Echo.inline, [1]) }
        let cancelled = world.start { try await connection.call(Echo.wait, []) }
        world.network.runUntilIdle()
        cancelled.task?.cancel()
        let waiting = world.start { try await connection.call(Echo.wait, []) }
        let pouring = world.start {
            try await connection.call(Pouring.pour, []) { replies in
                for try await _ in replies {}
            }
        }
        let long = world.start { try await connection.call(Echo.echo, Sample.text(1_000_000)) }
        world.network.run(for: .seconds(1))
        #expect(cancelled.isOver && !waiting.isOver && !pouring.isOver && !long.isOver)
        let peers = world.server.peers(on: world.loop)
        connection.close()
        world.network.run(for: .seconds(30))
        #expect(waiting.isOver && pouring.isOver && long.isOver)
        return ([connection] + peers).map { Trace(peer: $0.peer) }
    }

    @Test func `a connection that was lost leaves no object behind, nor do its calls`() throws {
        var configuration = RPCConfiguration()
        configuration.pieceBytesMax = 1_024
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Pouring.pour, on: .loop) { _, replies, _ in
            while true { try await replies.send([UInt8](repeating: 7, count: 5_000)) }
        }
        let world = try RPCWorld(configuration: configuration, handlers: handlers)
        world.network.faults.bytesPerSecond = 100_000
        let traces = try lose(world, configuration)
        #expect(traces.count == 2)
        // Calls and streams hold their connection: where any were left, it were.
        #expect(traces.allSatisfy { $0.peer == nil })
        #expect(world.network.openDescriptors == 1)
    }
}
