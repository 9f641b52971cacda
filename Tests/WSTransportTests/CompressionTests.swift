import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("Compression of WebSockets", .timeLimit(.minutes(10)))
struct CompressionTests {
    private static let text = String(repeating: "words that come again and again ", count: 20)
    private static let offer = CompressingPeer.offer

    @Test func `a server compresses only where it is told to`() async throws {
        let bench = try await Bench()
        let peer = try CompressingPeer(bench, offering: Self.offer)
        #expect(peer.codec == nil)
        #expect(bench.connections[0].compression == nil)
        peer.send(Self.text)
        bench.network.runUntilIdle()
        let received = try peer.receive()
        #expect(received.map(\.text) == [Self.text])
        #expect(received.first?.first == 0x81)
    }

    @Test(arguments: [CompressionConfiguration.shared, .context])
    func `messages are compressed both ways`(configuration: CompressionConfiguration) async throws {
        var configuration = configuration
        configuration.ownWindowBitsMax = 15
        configuration.peerWindowBitsMax = 15
        let bench = try await Bench { $0.compression = configuration }
        let peer = try CompressingPeer(bench, offering: Self.offer)
        #expect(bench.connections[0].compression == peer.codec?.agreed)
        for index in 0..<10 {
            peer.send("\(index) \(Self.text)")
            bench.network.runUntilIdle()
            let received = try peer.receive()
            #expect(received.map(\.text) == ["\(index) \(Self.text)"])
            #expect(received.first?.first == 0xC1)
        }
    }

    @Test func `a message may be too short, or exempt`() async throws {
        let bench = try await Bench { $0.compression = .shared }
        let peer = try CompressingPeer(bench, offering: Self.offer)
        let connection = try #require(bench.connections.first)
        connection.send(text: "short")
        bench.network.runUntilIdle()
        #expect(try peer.receive().first?.first == 0x81)
        connection.send(text: Self.text, compression: .never)
        bench.network.runUntilIdle()
        #expect(try peer.receive().first?.first == 0x81)
        connection.send(PreparedMessage(text: Self.text, compression: .never))
        bench.network.runUntilIdle()
        #expect(try peer.receive().first?.first == 0x81)
        connection.send(PreparedMessage(text: Self.text))
        bench.network.runUntilIdle()
        let received = try peer.receive()
        #expect(received.map(\.text) == [Self.text])
        #expect(received.first?.first == 0xC1)
    }

    @Test func `a rule by request spares a client, or treats it otherwise`() async throws {
        let bench = try await Bench { $0.compression = .shared }
        bench.compression = .off
        #expect(try CompressingPeer(bench, offering: Self.offer).codec == nil)
        var context = CompressionConfiguration.context
        context.ownWindowBitsMax = 15
        context.peerWindowBitsMax = 15
        bench.compression = .with(context)
        #expect(
            try CompressingPeer(bench, offering: Self.offer).codec?.agreed == PerMessageDeflate())
        bench.compression = .asConfigured
        let shared = PerMessageDeflate(serverNoContextTakeover: true, clientNoContextTakeover: true)
        #expect(try CompressingPeer(bench, offering: Self.offer).codec?.agreed == shared)
    }

    @Test(
        arguments: [
            (
                CompressionOffer.asConfigured,
                PerMessageDeflate(serverWindowBits: 12, clientWindowBits: 12)
            ),
            (.off, nil),
            (
                .with(.shared),
                PerMessageDeflate(
                    serverNoContextTakeover: true, clientNoContextTakeover: true,
                    serverWindowBits: 12,
                    clientWindowBits: 12)
            ),
        ] as [(CompressionOffer, PerMessageDeflate?)])
    func `a client may offer something else with one request, or nothing`(
        offer: CompressionOffer, agreed: PerMessageDeflate?
    ) async throws {
        let bench = try await Bench { $0.compression = .context }
        var configuration = WebSocketClient.Configuration()
        configuration.compression = .context
        let client = WebSocketClient(group: bench.server.group, configuration: configuration)
        var opened: WebSocketClient.Opened?
        let request = WebSocketRequest(host: "localhost", compression: offer)
        client.connect(
            to: bench.address, request, on: bench.server.group.loops[0], handler: Silent()
        ) { opened = try? $0.get() }
        bench.network.runUntilIdle()
        #expect(try #require(opened).opening.compression == agreed)
        #expect(opened?.connection.compression == agreed)
        #expect(bench.connections.first?.compression == agreed)
    }

    private final class Silent: WebSocketHandler {
        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {}
    }

    @Test func `contexts that rest are given back, and go on`() async throws {
        var context = CompressionConfiguration.context
        context.ownWindowBitsMax = 15
        context.peerWindowBitsMax = 15
        context.idleTimeout = .seconds(10)
        let bench = try await Bench {
            $0.compression = context
            $0.heartbeat = nil
        }
        let peer = try CompressingPeer(bench, offering: Self.offer)
        for index in 0..<3 {
            peer.send("\(index) \(Self.text)")
            bench.network.runUntilIdle()
            #expect(try peer.receive().map(\.text) == ["\(index) \(Self.text)"])
            let pool = try #require(bench.connections[0].deflatePool)
            #expect(pool.contextsHeld == 1)
            bench.network.run(for: .seconds(21))
            #expect(pool.contextsHeld == 0)
            #expect(pool.sharedStreams == 0)
        }
    }

    @Test func `a loop whose connections are gone gives everything back`() async throws {
        let bench = try await Bench { $0.compression = .shared }
        let peer = try CompressingPeer(bench, offering: Self.offer)
        peer.send(Self.text)
        bench.network.runUntilIdle()
        let pool = try #require(bench.connections[0].deflatePool)
        #expect(!pool.isEmpty)
        peer.peer.reset()
        bench.network.run(for: .seconds(100))
        #expect(pool.isEmpty)
    }

    @Test func `a bomb is answered with 1009`() async throws {
        let bench = try await Bench {
            $0.compression = .shared
            $0.limits.messageBytesMax = 10_000
        }
        let peer = try CompressingPeer(bench, offering: Self.offer)
        peer.send(String(repeating: "0", count: 10_001))
        bench.network.runUntilIdle()
        #expect(peer.peer.closeCode == 1009)
        #expect(bench.messages.isEmpty)
    }

    /// The zeros become some 30 bytes.
    @Test(arguments: [(1_032, true), (20, false)])
    func `what inflates to more than inflationRatioMax is answered with 1009`(
        ratio: Int, isTaken: Bool
    ) async throws {
        let bench = try await Bench {
            $0.compression = .shared
            $0.limits.inflationRatioMax = ratio
        }
        let peer = try CompressingPeer(bench, offering: Self.offer)
        peer.send(String(repeating: "0", count: 10_000))
        bench.network.runUntilIdle()
        #expect(bench.messages.count == (isTaken ? 1 : 0))
        if isTaken {
            #expect(try peer.receive().count == 1)
        } else {
            #expect(peer.peer.closeCode == 1009)
        }
        peer.peer.close()
        bench.network.runUntilIdle()
        let violation = ProtocolViolation(.excessiveInflation(max: ratio))
        #expect((bench.reasons == [.violation(violation)]) != isTaken)
    }

    @Test func `what the queue refuses is not referred to later`() async throws {
        var context = CompressionConfiguration.context
        context.ownWindowBitsMax = 15
        context.peerWindowBitsMax = 15
        let bench = try await Bench {
            $0.compression = context
            $0.connection.overflow = .refuse
            $0.connection.sendQueueBytesMax = 2_000
        }
        bench.echoes = false
        let peer = try CompressingPeer(bench, offering: Self.offer)
        let connection = try #require(bench.connections.first)
        var generator = SeededGenerator(seed: 3)
        let noise = String(
            decoding: (0..<4_000).map { _ in UInt8.random(in: 32...126, using: &generator) },
            as: UTF8.self)
        let short = String(noise.prefix(300))
        #expect(connection.send(text: short) == .accepted)
        #expect(connection.send(text: noise) == .refused)
        #expect(connection.send(text: short) == .accepted)
        bench.network.runUntilIdle()
        #expect(try peer.receive().map(\.text) == [short, short])
    }

    @Test func `control frames are bounded by the clock`() async throws {
        let bench = try await Bench { $0.limits.controlFramesPerSecondMax = 10 }
        let peer = try bench.upgraded()
        bench.network.run(for: .milliseconds(1_500))
        // The first after a second of silence is not counted.
        peer.send(Bench.frame([], .ping))
        bench.network.runUntilIdle()
        for _ in 0..<10 {
            peer.send(Bench.frame([], .ping))
            bench.network.runUntilIdle()
        }
        #expect(peer.closeCode == nil)
        bench.network.run(for: .milliseconds(900))
        for _ in 0..<10 {
            peer.send(Bench.frame([], .pong))
            bench.network.runUntilIdle()
        }
        #expect(peer.closeCode == nil)
        peer.send(Bench.frame([], .pong))
        bench.network.runUntilIdle()
        #expect(peer.closeCode == 1008)
        peer.close()
        bench.network.runUntilIdle()
        let violation = ProtocolViolation(.excessiveControlFrameRate(max: 10))
        #expect(bench.reasons == [.violation(violation)])
    }

    @Test func `control frames that come at once after silence are bounded too`() async throws {
        for (count, code) in [(11, nil), (12, 1008)] as [(Int, Int?)] {
            let bench = try await Bench { $0.limits.controlFramesPerSecondMax = 10 }
            let peer = try bench.upgraded()
            bench.network.run(for: .milliseconds(1_500))
            peer.send((0..<count).flatMap { _ in Bench.frame([], .ping) })
            bench.network.runUntilIdle()
            #expect(peer.closeCode == code)
        }
    }

    @Test func `a client and a server of ours agree`() async throws {
        final class Caller: WebSocketHandler {
            var received: [String] = []

            func received(
                _ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection
            ) {
                received.append(
                    message.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
            }
        }
        let bench = try await Bench { $0.compression = .context }
        var configuration = WebSocketClient.Configuration()
        configuration.compression = .context
        let client = WebSocketClient(group: bench.server.group, configuration: configuration)
        let caller = Caller()
        var opened: WebSocketConnection?
        client.connect(
            to: bench.address, WebSocketRequest(host: "localhost"), on: bench.server.group.loops[0],
            handler: caller
        ) { result in
            guard case .success(let success) = result else { return }
            opened = success.connection
            #expect(success.opening.compression == success.connection.compression)
        }
        bench.network.runUntilIdle()
        let connection = try #require(opened)
        let agreed = PerMessageDeflate(serverWindowBits: 12, clientWindowBits: 12)
        #expect(connection.compression == agreed)
        for index in 0..<10 { connection.send(text: "\(index) \(Self.text)") }
        connection.send(PreparedMessage(text: Self.text))
        connection.send(text: Self.text)
        bench.network.runUntilIdle()
        let expected = (0..<10).map { "\($0) \(Self.text)" } + [Self.text, Self.text]
        #expect(caller.received == expected)
    }
}
