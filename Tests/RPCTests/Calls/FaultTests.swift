import NetPoll
import NetPollTesting
import Seeds
import Testing

@testable import RPC

@Suite("Calls under faults, simulated", .timeLimit(.minutes(10)))
struct FaultTests {
    /// Many calls of all kinds, some cancelled, on connections that cut and break.
    @Test(arguments: seeds(60))
    func `every call ends once and all memory comes back`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var faults = Faults.cuts
        faults.delayMax = .milliseconds(20)
        var configuration = RPCConfiguration()
        configuration.outgoingCallsMax = 8
        configuration.negotiatesExtensions = seed % 3 != 0
        let world = try RPCWorld(seed: seed, configuration: configuration)
        let connections = try (0..<3).map { _ in try world.connect(configuration) }
        world.network.faults = faults
        var running: [Running<[UInt8]>] = []
        for _ in 0..<100 {
            let connection = connections[Int.random(in: 0..<3, using: &random)]
            let method =
                [Echo.echo, Echo.inline, Echo.fail, Echo.wait].randomElement(using: &random)
                ?? Echo.echo
            let request = [UInt8](
                repeating: 1, count: Int.random(in: 0...20_000, using: &random))
            let timeout = Duration.milliseconds(Int.random(in: 1...500, using: &random))
            running.append(
                world.start {
                    try await connection.call(
                        method, request, options: CallOptions(timeout: timeout))
                })
            if Int.random(in: 0..<4, using: &random) == 0 {
                running.randomElement(using: &random)?.task?.cancel()
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                world.network.run(for: .milliseconds(Int.random(in: 0...50, using: &random)))
            }
            if Int.random(in: 0..<150, using: &random) == 0 { connection.close() }
        }
        world.network.run(for: .seconds(2))
        #expect(running.allSatisfy { $0.isOver }, "seed \(seed)")
        for connection in connections {
            let left = connection.peer.core.outgoing.count
            #expect(left == 0, "seed \(seed)")
            #expect(connection.peer.pending.allSatisfy { $0 == nil }, "seed \(seed)")
            connection.close()
        }
        for peer in world.server.peers(on: world.loop) {
            let left = peer.peer.core.incoming.count
            #expect(left == 0, "seed \(seed)")
        }
        world.network.run(for: .seconds(10))
        #expect(world.network.openDescriptors == 1, "seed \(seed)")
    }

    private enum Mixed: RPCService {
        static let serviceName = "test.Mixed"
        static let reverse = bidirectional("Reverse", [UInt8].self, [UInt8].self)
        static let count = serverStreaming("Count", [UInt8].self, [UInt8].self)
    }

    /// Streams and long messages beside calls, over connections that are slow, silent, lost or drained;
    /// half of the worlds compress.
    @Test(arguments: seeds(20))
    func `streams and long messages leave nothing behind either`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &+ 1_000)
        var configuration = RPCConfiguration()
        configuration.pieceBytesMax = 1_024
        configuration.partialMessagesMax = Int(seed % 3) + 1
        configuration.compression = seed % 2 == 0 ? .zlib : nil
        configuration.pingInterval = .seconds(1)
        configuration.pingTimeout = .seconds(1)
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Mixed.reverse, on: .loop) { inbound, outbound, _ in
            for try await message in inbound { try await outbound.send(message.reversed()) }
        }
        handlers.handle(Mixed.count, on: .loop) { request, outbound, _ in
            for _ in 0..<5 { try await outbound.send(request) }
        }
        let world = try RPCWorld(seed: seed, configuration: configuration, handlers: handlers)
        let connections = try (0..<3).map { _ in try world.connect(configuration) }
        // A peer that is lost before it is known to understand pings is not found out.
        for connection in connections { try world.negotiate(connection) }
        var faults = Faults.cuts
        faults.delayMax = .milliseconds(5)
        faults.lostConnections = seed % 5 == 0 ? 0.01 : 0
        faults.bytesPerSecond = seed % 4 == 0 ? 200_000 : nil
        world.network.faults = faults
        var running: [Running<Void>] = []
        for _ in 0..<60 {
            let connection = connections[Int.random(in: 0..<3, using: &random)]
            let bytes = Int.random(in: 0...10_000, using: &random)
            let request = Sample.text(bytes)
            let options = CallOptions(timeout: .seconds(Int.random(in: 1...3, using: &random)))
            let kind = Int.random(in: 0..<3, using: &random)
            running.append(
                world.start {
                    switch kind {
                    case 0:
                        let reply = try await connection.call(
                            Echo.echo, request, options: options)
                        guard reply == request else { throw RPCError(.dataLoss) }
                    case 1:
                        try await connection.call(Mixed.count, request, options: options) {
                            for try await message in $0 where message != request {
                                throw RPCError(.dataLoss)
                            }
                        }
                    default:
                        try await connection.call(Mixed.reverse, options: options) {
                            outbound, inbound in
                            try await outbound.send(request)
                            outbound.finish()
                            for try await message in inbound
                            where message != request.reversed() { throw RPCError(.dataLoss) }
                        }
                    }
                })
            if Int.random(in: 0..<5, using: &random) == 0 {
                running.randomElement(using: &random)?.task?.cancel()
            }
            world.network.run(for: .milliseconds(Int.random(in: 0...50, using: &random)))
            if Int.random(in: 0..<200, using: &random) == 0 { connection.drain() }
        }
        world.network.run(for: .seconds(10))
        #expect(running.allSatisfy { $0.isOver }, "seed \(seed)")
        #expect(!running.contains { $0.error?.code == .dataLoss }, "seed \(seed)")
        for peer in connections.map(\.peer) + world.server.peers(on: world.loop).map(\.peer) {
            let left = peer.core.outgoing.count + peer.core.incoming.count
            #expect(left == 0, "seed \(seed)")
            #expect(peer.core.partials.isEmpty && peer.outbox.isEmpty, "seed \(seed)")
            #expect(peer.delayed.isEmpty, "seed \(seed)")
        }
        for connection in connections { connection.close() }
        world.network.run(for: .seconds(10))
        #expect(world.network.openDescriptors == 1, "seed \(seed)")
    }

    @Test func `ten thousand deadlines at once all end their calls`() throws {
        var configuration = RPCConfiguration()
        configuration.outgoingCallsMax = 10_000
        configuration.incomingCallsMax = 10_000
        let world = try RPCWorld(configuration: configuration)
        let connection = try world.connect(configuration)
        try world.negotiate(connection)
        let calls = (0..<10_000).map { _ in
            world.start {
                try await connection.call(
                    Echo.wait, [], options: CallOptions(timeout: .seconds(1)))
            }
        }
        world.network.run(for: .milliseconds(1_100))
        #expect(calls.allSatisfy { $0.error?.code == .deadlineExceeded })
        #expect(world.witness.cancelled == 10_000)
        let peer = try #require(world.server.peers(on: world.loop).first)
        let left = connection.peer.core.outgoing.count + peer.peer.core.incoming.count
        #expect(left == 0)
    }

    @Test(arguments: seeds(100))
    func `garbage ends its own connection and nothing else`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let world = try RPCWorld(seed: seed)
        let peer = try #require(world.network.connect(to: world.address))
        let frames = Vectors.all.keys.sorted().compactMap { Vectors.all[$0] }
        for _ in 0..<20 {
            var bytes = frames.randomElement(using: &random) ?? []
            let spoiled = Int.random(in: 0..<bytes.count, using: &random)
            bytes[spoiled] = .random(in: 0...255, using: &random)
            peer.send(bytes)
            world.network.runUntilIdle()
        }
        let connection = try world.connect()
        let reply = try world.run { try await connection.call(Echo.echo, [1]) }
        #expect(reply == [1])
    }
}
