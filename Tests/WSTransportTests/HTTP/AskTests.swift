import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("Requests about which is asked first")
struct AskTests {
    @Test func `a WebSocket opens once it is decided, and nothing sent meanwhile is lost`()
        async throws
    {
        let bench = try await AskBench()
        let peer = try bench.connect()
        peer.send(AskBench.upgrade)
        peer.send(AskBench.frame("one"))
        bench.network.run(for: .seconds(1))
        peer.send(AskBench.frame("two"))
        bench.network.run(for: .seconds(1))
        #expect(peer.received.isEmpty)
        bench.desk.answer { .upgrade(AskBench.Echo()) }
        bench.network.run(for: .seconds(1))
        #expect(peer.text.hasPrefix("HTTP/1.1 101 "))
        #expect(peer.text.contains("one"))
        #expect(peer.text.hasSuffix("two"))
        peer.send(AskBench.frame("three"))
        bench.network.run(for: .seconds(1))
        #expect(peer.text.hasSuffix("three"))
    }

    @Test func `what was sent meanwhile is read, too, where the handler closes at once`()
        async throws
    {
        let bench = try await AskBench()
        let closer = AskBench.Closer()
        let peer = try bench.connect()
        let frames = AskBench.frame("one") + Bench.close(1001)
        peer.send(AskBench.upgrade)
        peer.send(Array(frames[..<5]))
        bench.network.run(for: .seconds(1))
        bench.desk.answer { .upgrade(closer) }
        bench.network.run(for: .seconds(1))
        peer.send(Array(frames[5...]))
        peer.sendEnd()
        bench.network.run(for: .seconds(1))
        #expect(peer.closeCode == 1001 && peer.isEnded && !peer.isReset)
        #expect(closer.reasons.withLock { $0 } == [.local(.goingAway)])
    }

    @Test func `a refusal ends the connection of a WebSocket, and of a plain request does not`()
        async throws
    {
        let bench = try await AskBench()
        let refused = try bench.connect()
        refused.send(AskBench.upgrade)
        bench.network.run(for: .seconds(1))
        bench.desk.answer { .respond(HTTPResponse(status: .forbidden, text: "no")) }
        bench.network.run(for: .seconds(1))
        #expect(refused.text.hasPrefix("HTTP/1.1 403 "))
        #expect(refused.isEnded)
        let plain = try bench.connect()
        for path in ["/a", "/b"] {
            plain.send(Array("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        }
        for _ in 0..<2 {
            bench.network.run(for: .seconds(1))
            bench.desk.answer { .respond(HTTPResponse(status: .ok, text: "yes")) }
        }
        bench.network.run(for: .seconds(1))
        #expect(answers(in: plain.text) == ["200 yes", "200 yes"])
        #expect(!plain.isEnded)
    }

    @Test(arguments: [0, 10, 200_000])
    func `a body is read once it is known by whom`(count: Int) async throws {
        let bench = try await AskBench()
        let peer = try bench.connect()
        let body = String(repeating: "x", count: count)
        peer.send(
            Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n\(body)".utf8))
        bench.network.run(for: .seconds(1))
        #expect(peer.received.isEmpty)
        bench.desk.answer {
            .answer(.onLoop { HTTPResponse(status: .ok, text: "\($0.body.count)") })
        }
        bench.network.run(for: .seconds(1))
        #expect(answers(in: peer.text) == ["200 \(count)"])
    }

    @Test func `an error is answered 500, and silence 503`() async throws {
        let bench = try await AskBench { $0.handshakeTimeout = .seconds(5) }
        let failed = try bench.connect()
        failed.send(AskBench.upgrade)
        bench.network.run(for: .seconds(1))
        bench.desk.fail()
        bench.network.run(for: .seconds(1))
        #expect(failed.text.hasPrefix("HTTP/1.1 500 "))
        let late = try bench.connect()
        late.send(AskBench.upgrade)
        bench.network.run(for: .seconds(6))
        #expect(late.text.hasPrefix("HTTP/1.1 503 "))
        #expect(bench.desk.cancelled == 1)
    }

    @Test(arguments: [true, false])
    func `who is gone is asked about no more`(isReset: Bool) async throws {
        let bench = try await AskBench()
        let peer = try bench.connect()
        peer.send(AskBench.upgrade)
        bench.network.run(for: .seconds(1))
        if isReset { peer.reset() } else { peer.sendEnd() }
        bench.network.run(for: .seconds(1))
        #expect(bench.desk.cancelled == 1)
        #expect(bench.server.connectionCount == 0)
    }
}

/// A server that asks its desk about every request.
private final class AskBench {
    final class Echo: WebSocketHandler {
        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            connection.send(message, kind: kind)
        }
    }

    /// Wants no WebSocket after all.
    final class Closer: WebSocketHandler, Sendable {
        let reasons = Mutex<[WebSocketCloseReason]>([])

        func opened(_ connection: WebSocketConnection) { connection.close(.goingAway) }

        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {}

        func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
            reasons.withLock { $0.append(reason) }
        }
    }

    /// Where a task waits until the test says what it decides.
    final class Desk: Sendable {
        typealias Decide = @Sendable () -> WebSocketServer.Decision
        private struct Failure: Error {}

        private struct State {
            var waiter: CheckedContinuation<Decide, any Error>?
            var cancelled = 0
        }

        private let state = Mutex(State())

        var cancelled: Int { state.withLock { $0.cancelled } }

        func ask() async throws -> Decide {
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { waiter in
                    state.withLock { $0.waiter = waiter }
                }
            } onCancel: {
                end(.failure(CancellationError())) { $0.cancelled += 1 }
            }
        }

        func answer(_ decide: @escaping Decide) { end(.success(decide)) }

        func fail() { end(.failure(Failure())) }

        private func end(
            _ result: Result<Decide, any Error>, _ count: (inout State) -> Void = { _ in }
        ) {
            let waiter = state.withLock { state in
                count(&state)
                return state.waiter.take()
            }
            waiter?.resume(with: result)
        }
    }

    static let upgrade = Array(
        """
        GET /ws HTTP/1.1\r
        Host: localhost\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Version: 13\r
        \r\n
        """.utf8)

    static func frame(_ text: String) -> [UInt8] {
        FrameEncoder.frame(
            Array(text.utf8).span.bytes, opcode: .text, maskingKey: MaskingKey(1, 2, 3, 4))
    }

    let network = SimulatedNetwork(seed: 0)
    let desk = Desk()
    let server: WebSocketServer
    let address: SocketAddress

    init(_ configure: (inout WebSocketServer.Configuration) -> Void = { _ in }) async throws {
        var configuration = WebSocketServer.Configuration()
        configure(&configuration)
        let desk = desk
        server = WebSocketServer(
            group: network.makeGroup(loops: 1), configuration: configuration
        ) { _, _, _ in
            .ask { try await desk.ask() }
        }
        address = try await server.listen(on: .v4(0x0100_007f, port: 80))
    }

    func connect() throws -> SimulatedPeer {
        try #require(network.connect(to: address))
    }
}
