import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("WebSocketClient by name and URL", .timeLimit(.minutes(10)))
struct WebSocketClientByNameTests {
    /// What became of one attempt.
    private final class Outcome: WebSocketHandler {
        var error: WebSocketClientError?
        var remoteAddress: SocketAddress?
        var text: String?

        func opened(_ connection: WebSocketConnection) {
            remoteAddress = connection.remoteAddress
            connection.send(text: "hello")
        }

        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            text = message.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
    }

    private let bench: Bench
    private let resolver: SimulatedResolver

    init() async throws {
        bench = try await Bench()
        resolver = SimulatedResolver(loop: bench.server.group.loops[0])
    }

    private func connect(
        _ request: WebSocketRequest,
        _ configure: (inout WebSocketClient.Configuration) -> Void = { _ in }
    ) -> Outcome {
        var configuration = WebSocketClient.Configuration()
        configure(&configuration)
        let client = WebSocketClient(
            group: bench.server.group, configuration: configuration, resolver: resolver)
        let outcome = Outcome()
        client.connect(request, on: bench.server.group.loops[0], handler: outcome) { result in
            if case .failure(let error) = result { outcome.error = error }
        }
        #expect(outcome.error == nil, "told from within connect")
        return outcome
    }

    @Test func `a name is resolved and the WebSocket opened there`() throws {
        try resolver.answer("server.example", .v4, ["127.0.0.1"])
        let outcome = connect(try WebSocketRequest(url: "ws://server.example/chat"))
        bench.network.run(for: .seconds(1))
        #expect(outcome.text == "hello")
        #expect(outcome.remoteAddress == bench.address)
    }

    @Test func `a numeric host needs no resolver`() throws {
        let outcome = connect(try WebSocketRequest(url: "ws://127.0.0.1:80/"))
        bench.network.runUntilIdle()
        #expect(outcome.text == "hello")
    }

    @Test func `an IPv6 literal leads to its address`() async throws {
        let address = try await bench.server.listen(on: SocketAddress(host: "::1", port: 81))
        let outcome = connect(try WebSocketRequest(url: "ws://[::1]:81/"))
        bench.network.runUntilIdle()
        #expect(outcome.text == "hello")
        #expect(outcome.remoteAddress == address)
    }

    @Test func `an address that does not answer costs 250 ms (RFC 8305)`() throws {
        try resolver.answer("server.example", .v6, ["2001:db8::1"])
        try resolver.answer("server.example", .v4, ["127.0.0.1"])
        let silent = try SocketAddress(host: "2001:db8::1", port: 80)
        bench.network.setRoute(.blackHole, to: silent)
        let outcome = connect(try WebSocketRequest(url: "ws://server.example/"))
        bench.network.run(for: .milliseconds(249))
        #expect(outcome.text == nil)
        bench.network.run(for: .milliseconds(10))
        #expect(outcome.text == "hello")
        #expect(outcome.remoteAddress == bench.address)
    }

    @Test func `a name without address is a typed error`() throws {
        let outcome = connect(try WebSocketRequest(url: "ws://nowhere.example:81/"))
        bench.network.run(for: .seconds(1))
        #expect(outcome.error?.reason == .connect(.unresolved(.notFound)))
        #expect(outcome.error?.destination == .host("nowhere.example", port: 81))
        #expect(outcome.error?.description.hasPrefix("WebSocket to nowhere.example:81: ") == true)
    }

    @Test func `a resolver that never answers meets the connect timeout`() throws {
        try resolver.answer("slow.example", .v4, ["127.0.0.1"], after: nil)
        try resolver.answer("slow.example", .v6, [], after: nil)
        let outcome = connect(try WebSocketRequest(url: "ws://slow.example/")) {
            $0.connect.timeout = .seconds(3)
        }
        bench.network.run(for: .milliseconds(2_900))
        #expect(outcome.error == nil)
        bench.network.run(for: .milliseconds(200))
        #expect(outcome.error?.reason == .connect(.timedOut))
    }

    @Test func `a host that is none is a typed error`() {
        let outcome = connect(WebSocketRequest(host: "a/b"))
        bench.network.runUntilIdle()
        #expect(outcome.error?.reason == .request(WebSocketRequestError(.host)))
        #expect(outcome.error?.destination == nil)
    }

    // MARK: - Proxies

    /// A proxy that answers CONNECT, then is the server behind it.
    ///
    /// `@unchecked Sendable`: everything runs in the test's own thread.
    private final class Tunnel: ConnectionHandler, @unchecked Sendable {
        var received: [UInt8] = []
        var answersConnect = true
        private var connectBytes = 0

        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            received += bytes.withUnsafeMutableBytes { Array($0) }
            guard answersConnect, received.suffix(4) == [13, 10, 13, 10] else { return }
            guard connectBytes > 0 else {
                connectBytes = received.count
                connection.write(Array("HTTP/1.1 200 OK\r\n\r\n".utf8).span.bytes)
                return
            }
            var parser = HTTPRequestParser()
            let head = Array(received[connectBytes...])
            guard case .request(let request, _)? = try? parser.parse(head.span.bytes),
                let upgrade = try? WebSocketHandshake.validate(request)
            else { return }
            connection.write(upgrade.response().span.bytes)
        }

        var text: String { String(decoding: received, as: UTF8.self) }
    }

    private func tunnel() throws -> Tunnel {
        let tunnel = Tunnel()
        let address = try SocketAddress(host: "127.0.0.1", port: 3128)
        _ = try bench.server.group.loops[0].listen(on: address) { _, _ in tunnel }
        try resolver.answer("proxy.example", .v4, ["127.0.0.1"])
        return tunnel
    }

    @Test(
        arguments: [
            ("ws://server.example/a", "server.example:80"),
            ("ws://[2001:db8::1]", "[2001:db8::1]:80"),
            ("ws://server.example:81", "server.example:81"),
        ])
    func `a proxy is found by name and resolves the server's itself`(
        url: String, authority: String
    ) throws {
        let tunnel = try tunnel()
        let proxy = try WebSocketClient.Proxy(url: "http://ada:p%40ss@proxy.example:3128/")
        let outcome = connect(try WebSocketRequest(url: url)) { $0.proxy = proxy }
        bench.network.run(for: .seconds(1))
        #expect(outcome.error == nil)
        #expect(outcome.remoteAddress == .v4(0x0100_007f, port: 3128))
        #expect(tunnel.text.hasPrefix("CONNECT \(authority) HTTP/1.1\r\nHost: \(authority)\r\n"))
        #expect(tunnel.text.contains("Proxy-Authorization: Basic YWRhOnBAc3M=\r\n"))
    }

    @Test func `a proxy that says nothing meets the handshake timeout`() throws {
        let tunnel = try tunnel()
        tunnel.answersConnect = false
        let proxy = WebSocketClient.Proxy(to: .host("proxy.example", port: 3128))
        let outcome = connect(try WebSocketRequest(url: "ws://server.example/")) {
            $0.proxy = proxy
            $0.handshakeTimeout = .seconds(2)
        }
        bench.network.run(for: .milliseconds(1_900))
        #expect(outcome.error == nil)
        bench.network.run(for: .milliseconds(200))
        #expect(outcome.error?.reason == .timedOut)
        #expect(outcome.error?.destination == .host("proxy.example", port: 3128))
    }

    @Test(
        arguments: [
            ("https://proxy:1", WebSocketURLError.Reason.needsTLS(scheme: "https")),
            ("socks5://proxy:1", .scheme("socks5")), ("http://proxy/path", .target),
            ("http://proxy:0", .port), ("http://", .host),
        ])
    func `a proxy's URL is read as strictly`(url: String, reason: WebSocketURLError.Reason) {
        #expect(throws: WebSocketURLError(reason)) { try WebSocketClient.Proxy(url: url) }
    }
}
