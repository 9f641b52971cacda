import Testing
import WSFrame

/// The client's handshake with the key of RFC 6455 §1.3.
private enum ClientFixture {
    /// The bytes of "the sample nonce".
    static var nonce: [16 of UInt8] {
        var nonce = [16 of UInt8](repeating: 0)
        for (index, byte) in "the sample nonce".utf8.enumerated() { nonce[index] = byte }
        return nonce
    }

    static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    static func answer(
        line: String = "HTTP/1.1 101 Switching Protocols",
        upgrade: String = "Upgrade: websocket\r\n",
        connection: String = "Connection: Upgrade\r\n",
        accept: String = "Sec-WebSocket-Accept: \(ClientFixture.accept)\r\n",
        more: String = ""
    ) -> [UInt8] {
        Array("\(line)\r\n\(upgrade)\(connection)\(accept)\(more)\r\n".utf8)
    }

    static func handshake(
        _ request: WebSocketRequest = WebSocketRequest(host: "server.example.com"),
        limits: HTTPLimits = HTTPLimits()
    ) throws -> WebSocketClientHandshake {
        try WebSocketClientHandshake(request, nonce: nonce, limits: limits)
    }

    /// What comes of `answer` in pieces: the opening and how much it took, or why there is none.
    static func outcome(
        of answer: [UInt8],
        offering subprotocols: [String] = [],
        pieceBytes: Int = 100_000,
        limits: HTTPLimits = HTTPLimits()
    ) throws -> Result<(opening: WebSocketOpening, consumed: Int), WebSocketHandshakeError>? {
        let request = WebSocketRequest(host: "server.example.com", subprotocols: subprotocols)
        var handshake = try handshake(request, limits: limits)
        for start in stride(from: 0, to: answer.count, by: pieceBytes) {
            let piece = Array(answer[start..<min(start + pieceBytes, answer.count)])
            do throws(WebSocketHandshakeError) {
                if case .opened(let opening, let consumed) = try handshake.receive(piece.span.bytes)
                {
                    return .success((opening, start + consumed))
                }
            } catch {
                return .failure(error)
            }
        }
        return nil
    }

    static func refusal(
        of answer: [UInt8],
        offering subprotocols: [String] = [],
        limits: HTTPLimits = HTTPLimits()
    ) throws -> WebSocketHandshakeError.Reason? {
        var reasons: Set<WebSocketHandshakeError.Reason> = []
        for pieceBytes in [1, 7, 100_000] {
            let outcome = try outcome(
                of: answer, offering: subprotocols, pieceBytes: pieceBytes, limits: limits)
            guard case .failure(let error) = outcome else { return nil }
            reasons.insert(error.reason)
        }
        #expect(reasons.count == 1, "the cuts change the error: \(reasons)")
        return reasons.first
    }
}

@Suite("The request of a client, RFC 6455 §4.1")
struct WebSocketRequestTests {
    @Test func `it is a valid upgrade to our own server`() throws {
        var request = WebSocketRequest(host: "server.example.com:8080", target: "/chat?room=1")
        request.subprotocols = ["chat", "superchat"]
        request.origin = "http://example.com"
        request.credentials = BasicCredentials(user: "Aladdin", password: "open sesame")
        request.headers = [HTTPHeader("Cookie", "a=b")]
        let bytes = try ClientFixture.handshake(request).requestBytes
        let head = try parsed(String(decoding: bytes, as: UTF8.self))
        #expect(head.target == "/chat?room=1")
        #expect(head.header("Host") == "server.example.com:8080")
        #expect(head.header("Sec-WebSocket-Key") == HandshakeFixture.key)
        #expect(head.header("Sec-WebSocket-Version") == "13")
        #expect(head.header("Origin") == "http://example.com")
        #expect(head.header("Cookie") == "a=b")
        // RFC 7617 §2.
        #expect(head.header("Authorization") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        #expect(try WebSocketHandshake.validate(head).subprotocols == ["chat", "superchat"])
    }

    @Test(
        arguments: [
            (WebSocketRequest(host: ""), .host), (WebSocketRequest(host: "a\r\nX: b"), .host),
            (WebSocketRequest(host: "a b"), .host),
            (WebSocketRequest(host: "a", target: ""), .target),
            (WebSocketRequest(host: "a", target: "chat"), .target),
            (WebSocketRequest(host: "a", target: "/a b"), .target),
            (WebSocketRequest(host: "a", target: "/a\r\nX: b"), .target),
            (WebSocketRequest(host: "a", target: "/a#b"), .target),
            (WebSocketRequest(host: "a", subprotocols: ["a b"]), .subprotocols),
            (WebSocketRequest(host: "a", subprotocols: [""]), .subprotocols),
            (WebSocketRequest(host: "a", subprotocols: ["a", "a"]), .subprotocols),
            (WebSocketRequest(host: "a", subprotocols: ["a\r\nX: b"]), .subprotocols),
            (WebSocketRequest(host: "a", origin: "http://a\r\nX: b"), .origin),
            (WebSocketRequest(host: "a", headers: [HTTPHeader("HOST", "b")]), .header("HOST")),
            (
                WebSocketRequest(host: "a", headers: [HTTPHeader("sec-websocket-key", "b")]),
                .header("sec-websocket-key")
            ),
            (
                WebSocketRequest(host: "a", headers: [HTTPHeader("Content-Length", "1")]),
                .header("Content-Length")
            ),
        ] as [(WebSocketRequest, WebSocketRequestError.Reason)])
    func `what would be read as something else is not sent`(
        request: WebSocketRequest,
        reason: WebSocketRequestError.Reason
    ) {
        #expect(throws: WebSocketRequestError(reason)) { try ClientFixture.handshake(request) }
    }

    @Test(arguments: [("a:b", "c"), ("a\n", "c"), ("a", "c\u{7F}")])
    func `credentials that cannot be sent trap`(user: String, password: String) async {
        switch (user, password) {
        case ("a:b", "c"):
            await #expect(processExitsWith: .failure) {
                _ = BasicCredentials(user: "a:b", password: "c")
            }
        case ("a\n", "c"):
            await #expect(processExitsWith: .failure) {
                _ = BasicCredentials(user: "a\n", password: "c")
            }
        default:
            await #expect(processExitsWith: .failure) {
                _ = BasicCredentials(user: "a", password: "c\u{7F}")
            }
        }
    }

    @Test func `a password is not described`() {
        #expect(!"\(BasicCredentials(user: "ada", password: "secret"))".contains("secret"))
    }
}

@Suite("The answer to a client, RFC 6455 §4.1")
struct WebSocketClientHandshakeTests {
    @Test(arguments: [1, 2, 3, 50, 100_000])
    func `a valid answer opens the WebSocket, and what follows it is kept`(pieceBytes: Int) throws {
        let answer = ClientFixture.answer(more: "X-Server: a\r\n")
        let outcome = try ClientFixture.outcome(
            of: answer + [0x81, 0, 0x81, 0], pieceBytes: pieceBytes)
        let opened = try #require(try outcome?.get())
        #expect(opened.consumed == answer.count)
        #expect(opened.opening.subprotocol == nil)
        #expect(opened.opening.head.header("x-server") == "a")
    }

    @Test func `names and tokens match without regard to case`() throws {
        let answer = ClientFixture.answer(
            upgrade: "UPGRADE: WebSocket\r\n", connection: "connection: keep-alive, UPGRADE\r\n")
        #expect(try ClientFixture.outcome(of: answer)?.get() != nil)
    }

    @Test func `interim responses are passed over, a few of them (RFC 9110 §15.2)`() throws {
        let interim = Array("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".utf8)
        let eight = Array(repeatElement(interim, count: 8).joined())
        #expect(try ClientFixture.outcome(of: eight + ClientFixture.answer())?.get() != nil)
        #expect(
            try ClientFixture.refusal(of: eight + interim + ClientFixture.answer())
                == .excessiveInterimResponses)
    }

    @Test(arguments: [300, 301, 302, 303, 307, 308] as [UInt16])
    func `a redirect is not followed`(status: UInt16) throws {
        let answer = "HTTP/1.1 \(status) Elsewhere\r\nLocation: ws://b/\r\n\r\n"
        #expect(
            try ClientFixture.refusal(of: Array(answer.utf8))
                == .redirected(HTTPStatus(rawValue: status), location: "ws://b/"))
    }

    @Test(arguments: [200, 204, 400, 401, 403, 404, 426, 500, 503] as [UInt16])
    func `any other status is a refusal`(status: UInt16) throws {
        let answer = "HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n"
        #expect(
            try ClientFixture.refusal(of: Array(answer.utf8))
                == .refused(HTTPStatus(rawValue: status)))
    }

    @Test(
        arguments: [
            ("0", 0), ("17", 17), ("4294967295", 4_294_967_295), ("4294967296", nil), ("-1", nil),
            ("+1", nil), ("1.5", nil), ("", nil), ("Fri, 31 Dec 1999 23:59:59 GMT", nil),
        ] as [(String, Int64?)])
    func `a refusal tells when to come again (RFC 9110 §10.2.3)`(
        value: String, seconds: Int64?
    ) throws {
        let answer = "HTTP/1.1 503\r\nRetry-After: \(value)\r\nContent-Length: 0\r\n\r\n"
        let error = #expect(throws: WebSocketHandshakeError.self) {
            try ClientFixture.outcome(of: Array(answer.utf8))?.get()
        }
        #expect(error?.reason == .refused(.serviceUnavailable))
        #expect(error?.retryAfter == seconds.map { .seconds($0) })
    }

    @Test(arguments: [
        ClientFixture.answer(upgrade: ""), ClientFixture.answer(upgrade: "Upgrade: h2c\r\n"),
        ClientFixture.answer(upgrade: "Upgrade: websocket, h2c\r\n"),
        ClientFixture.answer(upgrade: "Upgrade: websocket\r\nUpgrade: h2c\r\n"),
        ClientFixture.answer(connection: ""),
        ClientFixture.answer(connection: "Connection: keep-alive\r\n"),
        ClientFixture.answer(line: "HTTP/1.0 101 Switching Protocols"),
    ])
    func `status 101 must upgrade to a WebSocket, in HTTP/1.1`(answer: [UInt8]) throws {
        #expect(try ClientFixture.refusal(of: answer) == .notAnUpgrade)
    }

    @Test(arguments: [
        "", "Sec-WebSocket-Accept: \r\n", "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n",
        "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        "Sec-WebSocket-Accept: \(ClientFixture.accept)x\r\n",
        String(repeating: "Sec-WebSocket-Accept: \(ClientFixture.accept)\r\n", count: 2),
    ])
    func `the accept value must answer the key, once`(accept: String) throws {
        #expect(try ClientFixture.refusal(of: ClientFixture.answer(accept: accept)) == .accept)
    }

    @Test func `a subprotocol must have been offered`() throws {
        let answer = ClientFixture.answer(more: "Sec-WebSocket-Protocol: superchat\r\n")
        let outcome = try ClientFixture.outcome(of: answer, offering: ["chat", "superchat"])
        #expect(try outcome?.get().opening.subprotocol == "superchat")
        #expect(try ClientFixture.refusal(of: answer) == .unofferedSubprotocol)
        #expect(
            try ClientFixture.refusal(of: answer, offering: ["chat"]) == .unofferedSubprotocol)
        // The KELVIN SIGN is another form of a K.
        let kelvin = ClientFixture.answer(more: "Sec-WebSocket-Protocol: \u{212A}\r\n")
        #expect(
            try ClientFixture.refusal(of: kelvin, offering: ["K"]) == .unofferedSubprotocol)
        let two = ClientFixture.answer(
            more: "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat\r\n")
        #expect(
            try ClientFixture.refusal(of: two, offering: ["chat", "superchat"])
                == .unofferedSubprotocol)
    }

    @Test func `an extension that was not offered is refused (RFC 6455 §9.1)`() throws {
        let answer = ClientFixture.answer(more: "Sec-WebSocket-Extensions: x-other\r\n")
        #expect(try ClientFixture.refusal(of: answer) == .unofferedExtension)
    }

    @Test(
        arguments: [
            ("HTTP/1.1  101 A\r\n\r\n", .malformedStatusLine),
            ("HTTP/1.1 1O1 A\r\n\r\n", .malformedStatusLine),
            ("HTTP/1.1 1010 A\r\n\r\n", .malformedStatusLine),
            ("HTTP/1.1 099 A\r\n\r\n", .malformedStatusLine),
            ("\r\nHTTP/1.1 101 A\r\n\r\n", .malformedStatusLine),
            ("ICY 200 OK\r\n\r\n", .malformedStatusLine),
            ("HTTP/2.0 101 A\r\n\r\n", .unsupportedVersion),
            ("HTTP/1.1\r\n\r\n", .unsupportedVersion),
            ("HTTP/1.1 101 A\r\nA : b\r\n\r\n", .whitespaceBeforeColon),
            ("HTTP/1.1 101 A\r\nA: b\r\n c\r\n\r\n", .foldedHeader),
            ("HTTP/1.1 101 A\nA: b\n\n", .controlByte(0x0A)),
            ("HTTP/1.1 101 A\r\nA: \0\r\n\r\n", .controlByte(0)),
            ("HTTP/1.1 101 A\r\nnocolon\r\n\r\n", .malformedHeader),
        ] as [(String, HTTPParseError.Reason)])
    func `an answer is read strictly (RFC 9112 §4, §5)`(
        answer: String,
        reason: HTTPParseError.Reason
    ) throws {
        #expect(
            try ClientFixture.refusal(of: Array(answer.utf8))
                == .malformed(HTTPParseError(reason)))
    }

    @Test func `an answer is bounded`() throws {
        let limits = HTTPLimits(
            requestLineBytesMax: 40, headerLineBytesMax: 60, headersMax: 4, headBytesMax: 200)
        #expect(try ClientFixture.outcome(of: ClientFixture.answer(), limits: limits)?.get() != nil)
        func refusal(_ more: String, _ line: String = "HTTP/1.1 101 A") throws
            -> WebSocketHandshakeError.Reason?
        {
            try ClientFixture.refusal(
                of: ClientFixture.answer(line: line, more: more), limits: limits)
        }
        let long = String(repeating: "a", count: 50)
        #expect(
            try refusal("", "HTTP/1.1 101 \(long)")
                == .malformed(HTTPParseError(.oversizedRequestLine(max: 40))))
        #expect(
            try refusal("Some: \(long)aaaaa\r\n")
                == .malformed(HTTPParseError(.oversizedHeaderLine(max: 60))))
        #expect(
            try refusal("A: b\r\nC: d\r\n")
                == .malformed(HTTPParseError(.excessiveHeaders(max: 4))))
        let narrow = HTTPLimits(headBytesMax: 120)
        #expect(
            try ClientFixture.refusal(of: ClientFixture.answer(), limits: narrow)
                == .malformed(HTTPParseError(.oversizedHead(max: 120))))
    }

    @Test func `a head in single bytes costs as much as in one piece (CVE-2023-43669)`() throws {
        let head = Array(
            ("HTTP/1.1 101 A\r\n" + String(repeating: "Name: value of some length\r\n", count: 90))
                .utf8)
        var parser = HTTPResponseParser()
        for byte in head {
            let piece = [byte]
            _ = try parser.parse(piece.span.bytes)
        }
        let examined = parser.bytesExamined
        #expect(examined <= 3 * head.count)
    }
}

@Suite("ProxyTunnel, RFC 9110 §9.3.6")
struct ProxyTunnelTests {
    private static func outcome(of answer: String, pieceBytes: Int) throws -> Int? {
        var tunnel = try ProxyTunnel(to: "server.example.com:80")
        let bytes = Array(answer.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            let piece = Array(bytes[start..<min(start + pieceBytes, bytes.count)])
            if case .opened(let consumed) = try tunnel.receive(piece.span.bytes) {
                return start + consumed
            }
        }
        return nil
    }

    @Test func `it asks for host and port, with credentials if there are any`() throws {
        let credentials = BasicCredentials(user: "a", password: "b")
        let tunnel = try ProxyTunnel(to: "server.example.com:80", credentials: credentials)
        #expect(
            String(decoding: tunnel.requestBytes, as: UTF8.self) == """
                CONNECT server.example.com:80 HTTP/1.1\r
                Host: server.example.com:80\r
                Proxy-Authorization: Basic YTpi\r
                \r\n
                """)
    }

    @Test(arguments: ["", "server", "a b:80", "a\r\n:80", "ws://a:80"])
    func `what is not host and port is not sent`(authority: String) {
        #expect(throws: WebSocketRequestError(.host)) { try ProxyTunnel(to: authority) }
    }

    @Test(arguments: [1, 5, 1000])
    func `any 2xx opens it, and what follows came through it`(pieceBytes: Int) throws {
        let answer = "HTTP/1.0 200 Connection established\r\nVia: a\r\n\r\n"
        #expect(try Self.outcome(of: answer + "HTTP", pieceBytes: pieceBytes) == answer.utf8.count)
    }

    @Test(arguments: [1, 5, 1000])
    func `interim responses come before it (RFC 9110 §15.2), but not without end`(
        pieceBytes: Int
    ) throws {
        let interim = "HTTP/1.1 103 Early\r\nA: b\r\n\r\n"
        let final = "HTTP/1.1 200 OK\r\n\r\n"
        let answer = String(repeating: interim, count: 8) + final
        #expect(try Self.outcome(of: answer + "HTTP", pieceBytes: pieceBytes) == answer.utf8.count)
        #expect(throws: WebSocketHandshakeError(.excessiveInterimResponses)) {
            try Self.outcome(of: interim + answer, pieceBytes: pieceBytes)
        }
    }

    @Test(arguments: [101, 302, 403, 407, 502] as [UInt16])
    func `any other status is the proxy's refusal`(status: UInt16) {
        let error = WebSocketHandshakeError(.refusedByProxy(HTTPStatus(rawValue: status)))
        #expect(throws: error) {
            try Self.outcome(of: "HTTP/1.1 \(status) No\r\n\r\n", pieceBytes: 9)
        }
    }
}
