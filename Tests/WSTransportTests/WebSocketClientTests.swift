import Glibc
import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// A client's view of one connection.
private final class Visitor: WebSocketHandler {
    weak var connection: WebSocketConnection?
    var messages: [(kind: MessageKind, bytes: [UInt8])] = []
    var pongs: [(payload: [UInt8], roundTrip: Duration?)] = []
    var pings: [[UInt8]] = []
    var pieces = 0
    private var partial: [UInt8] = []
    var closes: [(code: CloseCode?, reason: String)] = []
    var reasons: [WebSocketCloseReason] = []
    var error: WebSocketClientError?
    var opening: WebSocketOpening?
    var calls: [String] = []

    func told(_ result: Result<WebSocketClient.Opened, WebSocketClientError>) {
        switch result {
        case .success(let opened):
            calls.append("completed")
            opening = opened.opening
        case .failure(let error):
            calls.append("failed")
            self.error = error
        }
    }

    func opened(_ connection: WebSocketConnection) {
        calls.append("opened")
        self.connection = connection
    }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        messages.append((kind, message.withUnsafeBytes { Array($0) }))
    }

    func received(
        piece: RawSpan, of kind: MessageKind, isFirst: Bool, isLast: Bool,
        on connection: WebSocketConnection
    ) {
        let isInOrder = isFirst == partial.isEmpty || piece.byteCount == 0
        #expect(isInOrder)
        pieces += 1
        partial += piece.withUnsafeBytes { Array($0) }
        guard isLast else { return }
        messages.append((kind, partial))
        partial = []
    }

    func receivedPong(
        _ payload: RawSpan, roundTrip: Duration?, on connection: WebSocketConnection
    ) {
        pongs.append((payload.withUnsafeBytes { Array($0) }, roundTrip))
    }

    func receivedPing(_ payload: RawSpan, on connection: WebSocketConnection) {
        pings.append(payload.withUnsafeBytes { Array($0) })
    }

    func receivedClose(_ code: CloseCode?, reason: RawSpan, on connection: WebSocketConnection) {
        closes.append((code, reason.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }))
    }

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        calls.append("closed")
        reasons.append(reason)
    }
}

/// A TCP server that answers as it is told and keeps what it got.
///
/// `@unchecked Sendable`: everything runs in the test's own thread.
private final class Scripted: ConnectionHandler, @unchecked Sendable {
    var received: [UInt8] = []
    weak var connection: Connection?
    let answer: ([UInt8]) -> [UInt8]?

    init(_ answer: @escaping ([UInt8]) -> [UInt8]?) {
        self.answer = answer
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        received += bytes.withUnsafeMutableBytes { Array($0) }
        self.connection = connection
        if let answer = answer(received) { connection.write(answer.span.bytes) }
    }

    var text: String { String(decoding: received, as: UTF8.self) }

    /// The answer that opens a WebSocket for the key in `request`, once that is whole.
    static func opening(_ request: [UInt8]) -> [UInt8]? {
        var parser = HTTPRequestParser()
        guard case .request(let head, _)? = try? parser.parse(request.span.bytes) else {
            return nil
        }
        return (try? WebSocketHandshake.validate(head))?.response()
    }
}

@Suite("WebSocketClient", .timeLimit(.minutes(10)))
struct WebSocketClientTests {
    private static func connect(
        _ bench: Bench, request: WebSocketRequest = WebSocketRequest(host: "localhost"),
        to address: SocketAddress? = nil,
        _ configure: (inout WebSocketClient.Configuration) -> Void = { _ in }
    ) -> (visitor: Visitor, attempt: WebSocketAttempt) {
        var configuration = WebSocketClient.Configuration()
        configure(&configuration)
        let client = WebSocketClient(group: bench.server.group, configuration: configuration)
        let visitor = Visitor()
        let loop = bench.server.group.loops[0]
        let attempt = client.connect(
            to: address ?? bench.address, request, on: loop, handler: visitor,
            completion: { visitor.told($0) })
        #expect(visitor.calls.isEmpty)
        return (visitor, attempt)
    }

    /// Serves `handler`'s script at port 81.
    private static func script(_ bench: Bench, _ handler: Scripted) throws -> SocketAddress {
        let address = SocketAddress.v4(0x0100_007f, port: 81)
        _ = try bench.server.group.loops[0].listen(on: address) { _, _ in handler }
        return address
    }

    private static func open(
        _ bench: Bench, _ configure: (inout WebSocketClient.Configuration) -> Void = { _ in }
    ) throws -> (Visitor, WebSocketConnection) {
        let (visitor, _) = connect(bench, configure)
        let isOpen = bench.network.run(within: .seconds(5)) { visitor.connection != nil }
        try #require(isOpen)
        return (visitor, try #require(visitor.connection))
    }

    @Test(arguments: [0, 1, 125, 126, 65_535, 65_536, 300_000, 1 << 20])
    func `a message goes to the server and back`(count: Int) async throws {
        let bench = try await Bench()
        let (visitor, connection) = try Self.open(bench) {
            $0.connect.limits.sendQueueBytesMax = 4 << 20
        }
        let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        connection.send(message.span.bytes, kind: .binary)
        let isBack = bench.network.run(within: .seconds(5)) { !visitor.messages.isEmpty }
        #expect(isBack)
        #expect(visitor.messages.first?.bytes == message)
        #expect(visitor.calls == ["completed", "opened"])
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `all messages come back in order, whatever the network does`(seed: UInt64) async throws {
        let bench = try await Bench(seed: seed, faults: .cuts)
        let (visitor, connection) = try Self.open(bench)
        for number in 0..<100 { connection.send(text: "message \(number)") }
        let prepared = PreparedMessage(text: String(repeating: "é", count: 9_000))
        connection.send(prepared)
        let areBack = bench.network.run(within: .seconds(20)) { visitor.messages.count == 101 }
        #expect(areBack, "seed \(seed)")
        #expect(
            visitor.messages.prefix(100).map { String(decoding: $0.bytes, as: UTF8.self) }
                == (0..<100).map { "message \($0)" }, "seed \(seed)")
        #expect(visitor.messages.last?.bytes == Array(prepared.payload), "seed \(seed)")
        connection.close(.goingAway, reason: "done")
        let isOver = bench.network.run(within: .seconds(20)) {
            !visitor.reasons.isEmpty && !bench.reasons.isEmpty
        }
        #expect(isOver && visitor.reasons == [.local(.goingAway)], "seed \(seed)")
        #expect(bench.reasons == [.peer(.goingAway)], "seed \(seed)")
    }

    @Test func `every frame has a key of its own (CVE-2025-10148)`() async throws {
        let bench = try await Bench()
        let server = Scripted { $0.suffix(4) == [13, 10, 13, 10] ? Scripted.opening($0) : nil }
        let address = try Self.script(bench, server)
        let (visitor, _) = Self.connect(bench, to: address)
        bench.network.runUntilIdle()
        let connection = try #require(visitor.connection)
        server.received = []
        for _ in 0..<600 { connection.send(([1, 2] as [UInt8]).span.bytes, kind: .binary) }
        bench.network.runUntilIdle()
        let frames = stride(from: 0, to: server.received.count, by: 8).map {
            Array(server.received[$0..<($0 + 8)])
        }
        #expect(frames.count == 600)
        #expect(frames.allSatisfy { $0[0] == 0x82 && $0[1] == 0x82 })
        // Of 600 keys of 32 bits, two are the same once in 24,000 runs; four, never.
        #expect(Set(frames.map { Array($0[2..<6]) }).count > 597)
        #expect(frames.allSatisfy { $0[6] ^ $0[2] == 1 && $0[7] ^ $0[3] == 2 })
    }

    @Test func `frames that wait keep their bytes, however many follow`() async throws {
        let bench = try await Bench()
        bench.echoes = false
        let (_, connection) = try Self.open(bench) {
            $0.connect.limits.sendQueueBytesMax = 4 << 20
        }
        // Beyond what is gathered, and beyond what is kept of a frame that was sent.
        let messages = [70_000, 100, 200_000, 300_000, 70_000, 5_000, 200_000].enumerated().map {
            [UInt8](repeating: UInt8($0), count: $1)
        }
        for _ in 0..<3 {
            bench.messages = []
            for message in messages { connection.send(message.span.bytes, kind: .binary) }
            let areThere = bench.network.run(within: .seconds(30)) {
                bench.messages.count == messages.count
            }
            #expect(areThere)
            #expect(bench.messages.map(\.bytes) == messages)
        }
    }

    private static func isHead(_ bytes: [UInt8]) -> Bool { bytes.suffix(4) == [13, 10, 13, 10] }

    @Test func `a silent server is pinged, each time with a key of its own, and given up`()
        async throws
    {
        let bench = try await Bench()
        let server = Scripted { Self.isHead($0) ? Scripted.opening($0) : nil }
        let address = try Self.script(bench, server)
        let (visitor, _) = Self.connect(bench, to: address) {
            $0.heartbeat = Heartbeat(interval: .seconds(10), timeout: .seconds(25))
        }
        bench.network.runUntilIdle()
        server.received = []
        bench.network.run(for: .milliseconds(9_900))
        #expect(server.received.isEmpty)
        bench.network.run(for: .milliseconds(200))
        #expect(server.received.count == 6 && server.received.starts(with: [0x89, 0x80]))
        bench.network.run(for: .milliseconds(14_700))
        let pings = server.received
        try #require(pings.count == 12)
        #expect(pings[6...].starts(with: [0x89, 0x80]))
        #expect(pings[2..<6] != pings[8..<12])
        #expect(visitor.reasons.isEmpty)
        bench.network.run(for: .milliseconds(300))
        #expect(visitor.reasons == [.heartbeatTimedOut])
    }

    @Test func `a server that begins a message and brings no more of it is given up`() async throws
    {
        let bench = try await Bench()
        let server = Scripted { Self.isHead($0) ? Scripted.opening($0) : nil }
        let address = try Self.script(bench, server)
        let (visitor, _) = Self.connect(bench, to: address)
        bench.network.runUntilIdle()
        server.connection?.write(([0x01, 1, 0x61] as [UInt8]).span.bytes)
        for _ in 0..<59 {
            bench.network.run(for: .seconds(1))
            server.connection?.write(([0x89, 0] as [UInt8]).span.bytes)
        }
        bench.network.run(for: .milliseconds(950))
        #expect(visitor.connection?.isOpen == true)
        bench.network.run(for: .milliseconds(100))
        #expect(visitor.connection?.isOpen != true)
        bench.network.run(for: .seconds(6))
        #expect(visitor.reasons == [.inputStalled])
    }

    @Test func `a server that answers the heartbeat is kept`() async throws {
        let bench = try await Bench()
        let server = Scripted { received in
            if Self.isHead(received) { return Scripted.opening(received) }
            return received.suffix(6).starts(with: [0x89, 0x80]) ? [0x8A, 0] : nil
        }
        let address = try Self.script(bench, server)
        let (visitor, _) = Self.connect(bench, to: address) {
            $0.heartbeat = Heartbeat(interval: .seconds(10), timeout: .seconds(25))
        }
        bench.network.run(for: .seconds(305))
        #expect(visitor.reasons.isEmpty)
        #expect((28...30).contains(visitor.pongs.count))
        // Nobody asked for them.
        #expect(visitor.pongs.allSatisfy { $0.payload.isEmpty && $0.roundTrip == nil })
    }

    @Test(arguments: [0.0, 1.0])
    func `messages in pieces go on with what was cut`(shortReads: Double) async throws {
        let bench = try await Bench()
        let (visitor, connection) = try Self.open(bench) { $0.delivery = .pieces }
        bench.network.faults.shortReads = shortReads
        let message = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        connection.send(message.span.bytes, kind: .binary)
        connection.send(text: "é")
        connection.send(text: "")
        let areBack = bench.network.run(within: .seconds(60)) { visitor.messages.count == 3 }
        #expect(areBack)
        #expect(visitor.messages.map(\.bytes) == [message, Array("é".utf8), []])
        #expect(visitor.messages.map(\.kind) == [.binary, .text, .text])
        #expect(visitor.pieces > 3)
    }

    @Test func `every handshake has a key of its own (RFC 6455 §4.1)`() async throws {
        let bench = try await Bench()
        let server = Scripted { _ in nil }
        let address = try Self.script(bench, server)
        for _ in 0..<50 { _ = Self.connect(bench, to: address) }
        bench.network.runUntilIdle()
        let keys = server.text.matches(of: /Sec-WebSocket-Key: (\S+)/).map { $0.output.1 }
        #expect(keys.count == 50 && Set(keys).count == 50)
    }

    @Test func `the server closes the connection first (RFC 6455 §7.1.1)`() async throws {
        let bench = try await Bench()
        let (visitor, connection) = try Self.open(bench)
        connection.close()
        bench.network.runUntilIdle()
        #expect(visitor.reasons == [.local(.normal)])
        #expect(bench.reasons == [.peer(.normal)])
        // Only the listener is left.
        #expect(bench.network.openDescriptors == 1)
    }

    @Test func `a server that does not close its end is left after the deadline`() async throws {
        let bench = try await Bench()
        let server = Scripted { received in
            if received.suffix(4) == [13, 10, 13, 10] { return Scripted.opening(received) }
            return [0x88, 2, 3, 0xE8]
        }
        let address = try Self.script(bench, server)
        let (visitor, _) = Self.connect(bench, to: address) { $0.closeTimeout = .seconds(3) }
        bench.network.runUntilIdle()
        visitor.connection?.close()
        bench.network.run(for: .milliseconds(2_900))
        #expect(visitor.reasons.isEmpty)
        bench.network.run(for: .milliseconds(200))
        #expect(visitor.reasons == [.local(.normal)])
    }

    @Test func `a server that does not answer the close is left after the deadline`() async throws {
        let bench = try await Bench()
        let server = Scripted { $0.suffix(4) == [13, 10, 13, 10] ? Scripted.opening($0) : nil }
        let address = try Self.script(bench, server)
        let (visitor, _) = Self.connect(bench, to: address)
        bench.network.runUntilIdle()
        visitor.connection?.close()
        bench.network.run(for: .seconds(6))
        #expect(visitor.reasons == [.closeTimedOut])
    }

    @Test func `a masked frame of the server ends the connection with 1002`() async throws {
        let bench = try await Bench()
        let server = Scripted {
            Scripted.opening($0).map { $0 + Bench.frame("masked") }
        }
        let address = try Self.script(bench, server)
        let (visitor, _) = Self.connect(bench, to: address)
        bench.network.run(for: .seconds(20))
        #expect(visitor.calls == ["completed", "opened", "closed"])
        #expect(visitor.reasons == [.violation(ProtocolViolation(.maskedFrame))])
    }

    @Test func `frames that come with the answer are delivered`() async throws {
        let bench = try await Bench()
        let server = Scripted {
            Scripted.opening($0).map {
                $0 + FrameEncoder.frame(([7] as [UInt8]).span.bytes, opcode: .binary)
            }
        }
        let address = try Self.script(bench, server)
        let (visitor, _) = Self.connect(bench, to: address)
        bench.network.runUntilIdle()
        #expect(visitor.messages.map(\.bytes) == [[7]])
    }

    @Test func `the round trip of a ping is measured`() async throws {
        let bench = try await Bench(faults: .cuts)
        let (visitor, connection) = try Self.open(bench)
        let sent = bench.network.now
        connection.ping(([1, 2, 3] as [UInt8]).span.bytes)
        let isBack = bench.network.run(within: .seconds(1)) { !visitor.pongs.isEmpty }
        #expect(isBack)
        #expect(visitor.pongs.first?.payload == [1, 2, 3])
        #expect(visitor.pongs.first?.roundTrip == bench.network.now - sent)
    }

    @Test(arguments: [0.0, 1.0])
    func `pings and the peer's close are told, with what they say`(shortReads: Double) async throws
    {
        let bench = try await Bench()
        bench.network.faults.shortReads = shortReads
        let (visitor, _) = try Self.open(bench)
        bench.connections.first?.ping(([4, 2] as [UInt8]).span.bytes)
        bench.connections.first?.close(.goingAway, reason: "moved, é")
        bench.network.run(for: .seconds(1))
        #expect(visitor.pings == [[4, 2]])
        #expect(visitor.closes.map(\.code) == [.goingAway])
        #expect(visitor.closes.map(\.reason) == ["moved, é"])
        #expect(visitor.reasons == [.peer(.goingAway)])
    }

    @Test func `a pong that was not asked for has no round trip`() async throws {
        let bench = try await Bench()
        let pongs =
            FrameEncoder.frame(([9] as [UInt8]).span.bytes, opcode: .pong)
            + FrameEncoder.frame(([1] as [UInt8]).span.bytes, opcode: .pong)
        let server = Scripted { received in
            received.suffix(4) == [13, 10, 13, 10] ? Scripted.opening(received) : pongs
        }
        let address = try Self.script(bench, server)
        let (visitor, _) = Self.connect(bench, to: address)
        bench.network.runUntilIdle()
        visitor.connection?.ping(([1] as [UInt8]).span.bytes)
        bench.network.runUntilIdle()
        #expect(visitor.pongs.map { $0.roundTrip == nil } == [true, false])
    }
}

@Suite("WebSockets that are not opened", .timeLimit(.minutes(10)))
struct WebSocketClientFailureTests {
    /// What a client is told of a server that gives `answer`.
    private static func reason(
        _ answer: String, endsAfter: Bool = false
    ) async throws -> WebSocketClientError.Reason? {
        let bench = try await Bench()
        let server = Scripted { _ in Array(answer.utf8) }
        let address = SocketAddress.v4(0x0100_007f, port: 81)
        _ = try bench.server.group.loops[0].listen(on: address) { _, _ in server }
        let visitor = visit(bench, at: address)
        bench.network.runUntilIdle()
        if endsAfter { server.connection?.close() }
        bench.network.run(for: .seconds(30))
        #expect(visitor.calls == ["failed"])
        #expect(visitor.error?.destination == .address(address))
        // The two listeners are left.
        #expect(bench.network.openDescriptors == 2)
        return visitor.error?.reason
    }

    private static func visit(
        _ bench: Bench, at address: SocketAddress,
        request: WebSocketRequest = WebSocketRequest(host: "localhost"),
        _ configure: (inout WebSocketClient.Configuration) -> Void = { _ in }
    ) -> Visitor {
        var configuration = WebSocketClient.Configuration()
        configure(&configuration)
        let client = WebSocketClient(group: bench.server.group, configuration: configuration)
        let visitor = Visitor()
        client.connect(
            to: address, request, on: bench.server.group.loops[0], handler: visitor,
            completion: { visitor.told($0) })
        return visitor
    }

    @Test func `a redirect is a typed error`() async throws {
        let reason = try await Self.reason(
            "HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/\r\n\r\n")
        let found = HTTPStatus(rawValue: 302)
        #expect(
            reason
                == .handshake(
                    WebSocketHandshakeError(.redirected(found, location: "ws://elsewhere/"))))
    }

    @Test func `a wrong accept value is refused`() async throws {
        let reason = try await Self.reason(
            """
            HTTP/1.1 101 A\r\nUpgrade: websocket\r\nConnection: Upgrade\r
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n
            """)
        #expect(reason == .handshake(WebSocketHandshakeError(.accept)))
    }

    @Test func `half an answer and silence time out`() async throws {
        #expect(try await Self.reason("HTTP/1.1 101 Switch") == .timedOut)
    }

    @Test func `half an answer and the end are a lost connection`() async throws {
        #expect(try await Self.reason("HTTP/1.1 101 S", endsAfter: true) == .lost(.peer))
    }

    @Test func `a refusal of our own server is told with its status`() async throws {
        let bench = try await Bench()
        bench.response = HTTPResponse(status: .forbidden)
        let visitor = Self.visit(bench, at: bench.address)
        bench.network.runUntilIdle()
        #expect(
            visitor.error?.reason == .handshake(WebSocketHandshakeError(.refused(.forbidden))))
    }

    @Test func `nothing listens there`() async throws {
        let bench = try await Bench()
        let visitor = Self.visit(bench, at: .v4(0x0100_007f, port: 9))
        bench.network.runUntilIdle()
        #expect(visitor.error?.reason == .connect(.refused))
    }

    @Test func `a request that must not be sent is not`() async throws {
        let bench = try await Bench()
        let visitor = Self.visit(
            bench, at: bench.address, request: WebSocketRequest(host: "a\r\nb"))
        #expect(visitor.calls.isEmpty)
        bench.network.runUntilIdle()
        #expect(visitor.error?.reason == .request(WebSocketRequestError(.host)))
        #expect(bench.failures.isEmpty)
    }

    @Test(arguments: [false, true])
    func `an attempt can be cancelled while it connects or waits`(connects: Bool) async throws {
        let bench = try await Bench()
        let server = Scripted { _ in nil }
        let address = SocketAddress.v4(0x0100_007f, port: 81)
        _ = try bench.server.group.loops[0].listen(on: address) { _, _ in server }
        let client = WebSocketClient(group: bench.server.group)
        let visitor = Visitor()
        let attempt = client.connect(
            to: address, WebSocketRequest(host: "a"), on: bench.server.group.loops[0],
            handler: visitor, completion: { visitor.told($0) })
        if !connects { bench.network.runUntilIdle() }
        attempt.cancel()
        #expect(visitor.error?.reason == .cancelled)
        attempt.cancel()
        bench.network.run(for: .seconds(30))
        #expect(visitor.calls == ["failed"])
        #expect(bench.network.openDescriptors == 2)
    }

    @Test(arguments: [1, 1_000])
    func `a proxy tunnels to the server`(pieceBytes: Int) async throws {
        let bench = try await Bench()
        // Answers CONNECT, then the handshake itself, as the server behind it would.
        var tunnelled = 0
        let proxy = Scripted { received in
            let text = String(decoding: received, as: UTF8.self)
            guard text.hasSuffix("\r\n\r\n") else { return nil }
            if tunnelled == 0 {
                tunnelled = received.count
                return Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
            }
            return Scripted.opening(Array(received.dropFirst(tunnelled)))
        }
        let address = SocketAddress.v4(0x0100_007f, port: 3128)
        _ = try bench.server.group.loops[0].listen(on: address) { _, _ in proxy }
        if pieceBytes == 1 { bench.network.faults.shortReads = 1 }
        let request = WebSocketRequest(host: "server.example.com")
        let visitor = Self.visit(bench, at: bench.address, request: request) {
            $0.proxy = .init(
                to: .address(address), credentials: BasicCredentials(user: "a", password: "b"))
        }
        bench.network.runUntilIdle()
        #expect(visitor.calls == ["completed", "opened"])
        #expect(proxy.text.hasPrefix("CONNECT server.example.com:80 HTTP/1.1\r\n"))
        let parts = proxy.text.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(parts[0].contains("Proxy-Authorization: Basic YTpi"))
        #expect(!parts[1].contains("Proxy-Authorization"))
    }

    @Test func `a proxy's refusal is a typed error`() async throws {
        let bench = try await Bench()
        let proxy = Scripted { _ in Array("HTTP/1.1 407 No\r\n\r\n".utf8) }
        let address = SocketAddress.v4(0x0100_007f, port: 3128)
        _ = try bench.server.group.loops[0].listen(on: address) { _, _ in proxy }
        let visitor = Self.visit(bench, at: bench.address) {
            $0.proxy = .init(to: .address(address))
        }
        bench.network.runUntilIdle()
        let status = HTTPStatus(rawValue: 407)
        #expect(
            visitor.error?.reason == .handshake(WebSocketHandshakeError(.refusedByProxy(status))))
        #expect(!proxy.text.contains("Sec-WebSocket-Key"))
    }
}

@Suite("WebSocketClient over real sockets", .timeLimit(.minutes(10)))
struct WebSocketClientSocketTests {
    /// Sends one message when it is open, and closes with the answer.
    ///
    /// `@unchecked Sendable`: everything runs on the one loop.
    private final class Caller: WebSocketHandler, @unchecked Sendable {
        private let ended: @Sendable ([UInt8]) -> Void
        private var answer: [UInt8] = []

        init(ended: @escaping @Sendable ([UInt8]) -> Void) {
            self.ended = ended
        }

        func opened(_ connection: WebSocketConnection) { connection.send(text: "hello") }

        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            answer = message.withUnsafeBytes { Array($0) }
            connection.close()
        }

        func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
            ended(reason == .local(.normal) ? answer : [])
        }
    }

    private final class Echo: WebSocketHandler, Sendable {
        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            connection.send(message, kind: kind)
        }
    }

    @Test(arguments: ["tcp", "unix"])
    func `a message goes there and back`(network: String) async throws {
        var settings = EventLoopGroup.Configuration()
        settings.loops = 1
        let group = try EventLoopGroup(configuration: settings)
        let server = WebSocketServer(group: group) { _, _, _ in .upgrade(Echo()) }
        let name = "longwire-\(UInt64.random(in: 0...(.max))).socket"
        let wanted: SocketAddress =
            network == "tcp" ? .v4(0x0100_007f, port: 0) : .unix(path: "/tmp/\(name)")
        let address = try await server.listen(on: wanted)
        let client = WebSocketClient(group: group)
        let loop = group.loops[0]
        let answer: [UInt8] = await withCheckedContinuation { continuation in
            loop.execute {
                let caller = Caller { continuation.resume(returning: $0) }
                client.connect(
                    to: address, WebSocketRequest(host: "localhost"), on: loop, handler: caller
                ) { result in
                    if case .failure = result { continuation.resume(returning: []) }
                }
            }
        }
        #expect(answer == Array("hello".utf8))
        await server.drain()
        await group.shutdown()
        if case .unix(let path) = address { unlink(path) }
    }
}
