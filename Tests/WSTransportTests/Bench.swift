import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// A WebSocket server on a simulated network, its connections and its raw clients.
///
/// `@unchecked Sendable`: everything runs in the test's own thread.
final class Bench: @unchecked Sendable {
    /// Passes events on without keeping the bench alive.
    ///
    /// `@unchecked Sendable`: everything runs in the test's own thread.
    private final class Relay: WebSocketHandler, @unchecked Sendable {
        weak var bench: Bench?

        func decide() -> WebSocketServer.Decision {
            guard let bench else { return .respond(HTTPResponse(status: .serviceUnavailable)) }
            bench.decisions += 1
            return bench.response.map { .respond($0) }
                ?? .upgrade(
                    self, subprotocol: bench.subprotocol, compression: bench.compression,
                    headers: bench.headers)
        }

        func opened(_ connection: WebSocketConnection) { bench?.opened(connection) }

        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            bench?.received(message, kind: kind, on: connection)
        }

        func receivedPong(
            _ payload: RawSpan, roundTrip: Duration?, on connection: WebSocketConnection
        ) { bench?.roundTrips.append(roundTrip) }

        func congested(_ connection: WebSocketConnection) { bench?.calls.append("congested") }

        func drained(_ connection: WebSocketConnection) { bench?.calls.append("drained") }

        func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
            bench?.closed(reason)
        }
    }

    let network: SimulatedNetwork
    let server: WebSocketServer
    private(set) var address = SocketAddress.v4(0x0100_007f, port: 80)
    var connections: [WebSocketConnection] = []
    var messages: [(kind: MessageKind, bytes: [UInt8])] = []
    var reasons: [WebSocketCloseReason] = []
    /// Of each pong, in the order they came.
    var roundTrips: [Duration?] = []
    var failures: [String] = []
    var calls: [String] = []
    var echoes = true
    var onOpen: ((WebSocketConnection) -> Void)?
    var onMessage: ((WebSocketConnection) -> Void)?
    var response: HTTPResponse?
    var subprotocol: String?
    var headers: [HTTPHeader] = []
    var compression = WebSocketServer.CompressionRule.asConfigured
    var decisions = 0

    init(
        seed: UInt64 = 0, faults: Faults = Faults(), loops: Int = 1, closesPerTurnMax: Int = 512,
        _ configure: (inout WebSocketServer.Configuration) -> Void = { _ in },
        screen: HTTPScreen? = nil
    ) async throws {
        network = SimulatedNetwork(seed: seed, faults: faults)
        var configuration = WebSocketServer.Configuration()
        configure(&configuration)
        var loop = EventLoop.Configuration()
        loop.closesPerTurnMax = closesPerTurnMax
        let group = network.makeGroup(loops: loops, configuration: loop)
        let relay = Relay()
        server = WebSocketServer(
            group: group, configuration: configuration, screen: screen,
            observe: { failure, _ in relay.bench?.failures.append(failure.description) },
            accept: { _, _, _ in relay.decide() })
        relay.bench = self
        address = try await server.listen(on: address)
    }

    private func opened(_ connection: WebSocketConnection) {
        connections.append(connection)
        calls.append("opened")
        onOpen?(connection)
    }

    private func received(
        _ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection
    ) {
        messages.append((kind, message.withUnsafeBytes { Array($0) }))
        if echoes { connection.send(message, kind: kind) }
        onMessage?(connection)
    }

    private func closed(_ reason: WebSocketCloseReason) {
        calls.append("closed")
        reasons.append(reason)
    }

    /// A client whose TCP connection stands.
    func connect() throws -> SimulatedPeer {
        let peer = try #require(network.connect(to: address))
        network.runUntilIdle()
        return peer
    }

    /// A client whose upgrade was answered with 101.
    func upgraded() throws -> SimulatedPeer {
        let peer = try connect()
        peer.send(Self.upgrade)
        let isAnswered = network.run(within: .seconds(5)) { peer.text.hasSuffix("\r\n\r\n") }
        #expect(isAnswered)
        #expect(String(decoding: peer.takeReceived(), as: UTF8.self).hasPrefix("HTTP/1.1 101 "))
        return peer
    }

    static let upgrade = Array(
        """
        GET /chat HTTP/1.1\r
        Host: localhost\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Version: 13\r
        \r\n
        """.utf8)

    /// A client's frame of a text or binary message.
    static func frame(_ bytes: [UInt8], _ opcode: Opcode = .text) -> [UInt8] {
        FrameEncoder.frame(bytes.span.bytes, opcode: opcode, maskingKey: MaskingKey(1, 2, 3, 4))
    }

    static func frame(_ text: String) -> [UInt8] { frame(Array(text.utf8)) }

    /// A client's close frame.
    static func close(_ code: UInt16) -> [UInt8] {
        frame([UInt8(code >> 8), UInt8(code & 0xff)], .close)
    }
}

extension SimulatedPeer {
    var text: String { String(decoding: received, as: UTF8.self) }

    /// The code of the close frame that ends what was received.
    var closeCode: Int? {
        guard received.count >= 4, received[received.count - 4] == 0x88 else { return nil }
        return Int(received[received.count - 2]) << 8 | Int(received[received.count - 1])
    }
}
