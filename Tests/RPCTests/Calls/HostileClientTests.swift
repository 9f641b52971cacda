import NetPoll
import NetPollTesting
import Seeds
import Testing

@testable import RPC

private enum Flow: RPCService {
    static let serviceName = "test.Flow"
    static let pour = serverStreaming("Pour", [UInt8].self, [UInt8].self)
    static let sum = clientStreaming("Sum", [UInt8].self, [UInt8].self)
    static let mirror = bidirectional("Mirror", [UInt8].self, [UInt8].self)
}

@Suite("A server whose clients break the rules, simulated", .timeLimit(.minutes(10)))
struct HostileClientTests {
    private static let methods: [(String, String, FrameFlags)] = [
        (Echo.serviceName, Echo.echo.name, []), (Echo.serviceName, Echo.inline.name, []),
        (Echo.serviceName, Echo.fail.name, []), (Echo.serviceName, Echo.wait.name, []),
        (Echo.serviceName, Echo.missing.name, []),
        (Flow.serviceName, Flow.pour.name, .remoteClosed),
        (Flow.serviceName, Flow.sum.name, .remoteOpen),
        (Flow.serviceName, Flow.mirror.name, .remoteOpen),
    ]

    private static func handlers(_ witness: Witness) -> RPCHandlers {
        var handlers = RPCWorld.handlers(witness)
        handlers.handle(Flow.pour, on: .loop) { request, replies, _ in
            for _ in 0..<20 { try await replies.send(request) }
        }
        handlers.handle(Flow.sum, on: .loop) { requests, _ in
            var sum: UInt8 = 0
            for try await number in requests { sum &+= number.first ?? 0 }
            return [sum]
        }
        handlers.handle(Flow.mirror, on: .loop) { requests, replies, _ in
            for try await request in requests { try await replies.send(request) }
        }
        return handlers
    }

    private static var configuration: RPCConfiguration {
        var configuration = RPCConfiguration()
        configuration.incomingCallsMax = 16
        configuration.messageBytesMax = 64 << 10
        configuration.streamCreditBytes = 20_000
        configuration.connectionCreditBytes = 50_000
        configuration.partialMessagesMax = 4
        configuration.compression = .zlib
        configuration.pingInterval = .seconds(2)
        configuration.pingTimeout = .seconds(2)
        // For those who vanish before they are known to understand pings.
        configuration.connection.idleTimeout = .seconds(10)
        configuration.connection.sendQueueBytesMax = 1 << 20
        return configuration
    }

    /// A call that keeps the rules; throws where its outcome is not the right one.
    private static func call(_ number: Int, on connection: RPCConnection) async throws {
        func check(_ isRight: Bool) throws { if !isRight { throw RPCError(.dataLoss) } }
        let request = Sample.text(number * 97 % 5_000 + 1)
        switch number % 5 {
        case 0: try check(try await connection.call(Echo.echo, request) == request)
        case 1: try check(try await connection.call(Echo.inline, request) == request)
        case 2:
            try await connection.call(Flow.pour, request) { replies in
                var count = 0
                for try await reply in replies { count += reply == request ? 1 : 100 }
                try check(count == 20)
            }
        case 3:
            let sum = try await connection.call(Flow.sum) { requests in
                for _ in 0..<20 { try await requests.send([3] + request) }
            }
            try check(sum == [60])
        default:
            try await connection.call(Flow.mirror) { requests, replies in
                var iterator = replies.makeAsyncIterator()
                for _ in 0..<10 {
                    try await requests.send(request)
                    try check(try await iterator.next() == request)
                }
                requests.finish()
                try check(try await iterator.next() == nil)
            }
        }
    }

    /// What a connection holds for its peer is bounded, whatever that does.
    private func expectBounds(_ peer: PeerConnection, _ seed: UInt64) {
        let configuration = Self.configuration
        let calls = peer.core.incoming.count
        #expect(calls <= configuration.incomingCallsMax, "seed \(seed)")
        let partials = (peer.core.partials.count, peer.core.partials.bytes)
        // One whose rest is passed over is kept, without its bytes.
        #expect(partials.0 <= configuration.partialMessagesMax + 1, "seed \(seed)")
        #expect(partials.1 <= partials.0 * configuration.messageBytesMax, "seed \(seed)")
        for call in peer.served {
            guard let stream = call?.stream else { continue }
            let isCounted = stream.isCounted
            let most =
                isCounted
                ? configuration.streamCreditBytes : CallStream.uncountedBytesMax
            #expect(
                stream.waitingBytes <= most + configuration.messageBytesMax, "seed \(seed)")
        }
    }

    @Test(arguments: [0, 1, 3, 4, 40] as [UInt32], [Echo.inline, Echo.echo, Echo.fail])
    func `a client that says it takes no message is answered with a status`(
        messageBytesMax: UInt32, method: UnaryMethod<[UInt8], [UInt8]>
    ) throws {
        let world = try RPCWorld()
        let peer = try #require(world.network.connect(to: world.address))
        func request(_ id: UInt32) -> [UInt8] {
            Sample.request(
                id, service: method.service, method: method.name, announces: id == 1,
                Sample.text(100)
            ).bytes
        }
        peer.send(request(1))
        world.network.runUntilIdle()
        _ = peer.takeReceived()
        var settings = PeerSettings()
        settings.messageBytesMax = messageBytesMax
        peer.send(ControlFrame.settings(settings).bytes + request(3))
        world.network.runUntilIdle()
        var decoder = FrameDecoder()
        let frames = try decoder.frames(in: peer.takeReceived())
        #expect(frames.map(\.header.stream) == [3])
        let envelope = try frames[0].data.withUnsafeBytes { try ResponseEnvelope($0) }
        #expect(envelope.code == StatusCode.resourceExhausted.rawValue)
        #expect(frames[0].data.count <= max(4, Int(messageBytesMax)))
    }

    @Test(arguments: [0, 1, 50])
    func `what a plain client sends to a handler that does not read is bounded, however short`(
        messageBytes: Int
    ) throws {
        let witness = Witness()
        var handlers = RPCHandlers()
        handlers.handle(Flow.sum, on: .loop) { _, _ in
            let (stream, continuation) = AsyncStream<Void>.makeStream()
            for await _ in stream {}
            withExtendedLifetime(continuation) {}
            witness.note { $0.cancelled += 1 }
            return []
        }
        let world = try RPCWorld(witness: witness, handlers: handlers)
        let peer = try #require(world.network.connect(to: world.address))
        let method = Flow.sum.name
        peer.send(
            Sample.request(1, flags: .remoteOpen, service: Flow.serviceName, method: method).bytes)
        let message = Frame(.data, stream: 1, Sample.text(messageBytes)).bytes
        let thousand = Array(repeatElement(message, count: 1_000).joined())
        let count = CallStream.uncountedBytesMax / ConnectionCore.cost(messageBytes)
        for _ in 0..<(count / 1_000 - 1) { peer.send(thousand) }
        world.network.runUntilIdle()
        #expect(witness.cancelled == 0)
        for _ in 0..<3 { peer.send(thousand) }
        world.network.runUntilIdle()
        #expect(witness.cancelled == 1)
        var decoder = FrameDecoder()
        let frames = try decoder.frames(in: peer.takeReceived())
        // Those behind it say of data that their call is over.
        let answer = try #require(frames.first)
        #expect(answer.header.stream == 1)
        let envelope = try answer.data.withUnsafeBytes { try ResponseEnvelope($0) }
        #expect(envelope.code == StatusCode.resourceExhausted.rawValue)
    }

    /// What is wrong with a compressed message.
    enum Damage: CaseIterable { case cut, withoutLength }

    @Test(arguments: Damage.allCases)
    func `the credit of a message that cannot be inflated comes back`(damage: Damage) throws {
        var configuration = RPCConfiguration()
        configuration.compression = .zlib
        let witness = Witness()
        let world = try RPCWorld(
            configuration: configuration, witness: witness, handlers: Self.handlers(witness))
        let client = try #require(world.network.connect(to: world.address))
        client.send(
            Sample.request(
                1, service: Echo.serviceName, method: Echo.echo.name, announces: true
            ).bytes)
        world.network.runUntilIdle()
        client.send(ControlFrame.settings(PeerSettings()).bytes)
        world.network.runUntilIdle()
        let peer = try #require(world.server.peers(on: world.loop).first).peer
        let compressor = MessageCompressor(level: 1)
        let original = [UInt8](repeating: 5, count: 1_000)
        let whole = try #require(original.withUnsafeBytes { compressor.compress($0) })
        let bytes = Array(damage == .withoutLength ? whole.prefix(3) : whole.dropLast())
        let cost = ConnectionCore.cost(damage == .withoutLength ? 3 : original.count)
        for round in 1...20 {
            let id = UInt32(2 * round + 1)
            client.send(
                Sample.request(
                    id, flags: .remoteOpen, service: Flow.serviceName, method: Flow.mirror.name
                ).bytes + Frame(.data, stream: id, flags: .compressed, bytes).bytes)
            world.network.runUntilIdle()
            #expect(peer.core.consumed == round * cost)
        }
        let credit = Int(peer.core.limits.settings.connectionCredit)
        #expect(peer.core.receiveCredit == credit - peer.core.consumed)
        #expect(peer.core.incoming.count == 0)
    }

    @Test(arguments: seeds(100))
    func `others are served as ever, and all that the hostile took comes back`(
        seed: UInt64
    ) throws {
        let witness = Witness()
        let world = try RPCWorld(
            seed: seed, configuration: Self.configuration, witness: witness,
            handlers: Self.handlers(witness))
        let connection = try world.connect()
        world.network.faults = .cuts
        var random = SeededGenerator(seed: seed)
        func enter() throws -> HostileClient {
            let peer = try #require(world.network.connect(to: world.address), "seed \(seed)")
            return HostileClient(peer, calling: Self.methods, seed: random.next())
        }
        var hostile = try (0..<4).map { _ in try enter() }
        var running: [Running<Void>] = []
        for number in 0..<60 {
            running.append(
                world.start { try await Self.call(number, on: connection) })
            for index in hostile.indices {
                var isThere = !hostile[index].isEnded
                for _ in 0..<3 where isThere { isThere = hostile[index].step() }
                if !isThere { hostile[index] = try enter() }
            }
            world.network.run(for: .milliseconds(Int.random(in: 0...60, using: &random)))
            for peer in world.server.peers(on: world.loop) { expectBounds(peer.peer, seed) }
        }
        world.network.run(for: .seconds(20))
        let failures = running.compactMap { $0.error }
        #expect(running.allSatisfy { $0.isSuccess }, "seed \(seed): \(failures)")
        for client in hostile { client.leave() }
        world.network.run(for: .seconds(20))
        let left = world.server.peers(on: world.loop)
        #expect(left.count == 1, "seed \(seed)")
        for peer in left.map(\.peer) + [connection.peer] {
            let calls = peer.core.incoming.count + peer.core.outgoing.count
            #expect(calls == 0, "seed \(seed)")
            #expect(peer.served.allSatisfy { $0 == nil }, "seed \(seed)")
        }
        // Of calls that wait for their end none is left.
        try world.run { try await Self.call(0, on: connection) }
        connection.close()
        world.network.run(for: .seconds(10))
        #expect(world.network.openDescriptors == 1, "seed \(seed)")
        #expect(world.loop.registrations == 1, "seed \(seed)")
    }
}
