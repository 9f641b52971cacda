import NetPollTesting
import Testing
import WSFrame

@Suite("HTTPRequestParser, RFC 9112")
struct HTTPRequestParserTests {
    @Test func `a request and its headers are read`() throws {
        let request = try parsed(
            "GET /chat?room=1&x=%20 HTTP/1.1\r\nHost: example.com\r\nX-Empty:\r\n"
                + "Accept:  text/html \t\r\naccept: */*\r\n\r\n")
        #expect(request.method == .get)
        #expect(request.target == "/chat?room=1&x=%20")
        #expect(request.path == "/chat")
        #expect(request.query == "room=1&x=%20")
        #expect(request.version == .http11)
        #expect(request.body == .none)
        #expect(request.headersCount == 4)
        #expect(request.header("HOST") == "example.com")
        #expect(request.header("x-empty") == "")
        #expect(request.headers("Accept") == ["text/html", "*/*"])
        #expect(request.header("missing") == nil)
        let last = request.header(at: 3)
        #expect(last.name == "accept" && last.value == "*/*")
    }

    @Test(
        arguments: [
            ("/", "/", nil), ("/a/b", "/a/b", nil), ("/a?", "/a", ""), ("/a?b?c", "/a", "b?c"),
            ("http://h/p?q", "/p", "q"), ("http://h:80/p", "/p", nil), ("HTTP://h", "/", nil),
            ("http://h?q", "/", "q"), ("*", "*", nil),
        ] as [(String, String, String?)])
    func `path and query are split`(target: String, path: String, query: String?) throws {
        let request = try parsed("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(request.path == path)
        #expect(request.query == query)
    }

    @Test func `bytes behind the head are not consumed`() throws {
        let head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        var parser = HTTPRequestParser()
        let bytes = Array((head + "frames").utf8)
        guard case .request(_, let consumed) = try parser.parse(bytes.span.bytes) else {
            Issue.record("the head was not read")
            return
        }
        #expect(consumed == head.utf8.count)
        #expect(parser.isIdle)
    }

    @Test func `requests follow each other on one parser`() throws {
        var parser = HTTPRequestParser()
        let one = Array("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        let two = Array("\r\nHEAD /2 HTTP/1.0\r\n\r\n".utf8)
        var rest = (one + two)[...]
        var targets: [String] = []
        while !rest.isEmpty {
            let piece = Array(rest)
            guard case .request(let request, let consumed) = try parser.parse(piece.span.bytes)
            else { break }
            targets.append(request.target)
            rest = rest.dropFirst(consumed)
        }
        #expect(targets == ["/1", "/2"])
    }

    @Test(arguments: 1...40)
    func `the cuts of the bytes change nothing`(pieceBytes: Int) throws {
        let head = "POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX: y z\r\n\r\n"
        let request = try parsed(head, pieceBytes: pieceBytes)
        #expect(request.method == .post && request.target == "/a?b")
        #expect(request.body == .bytes(3))
        #expect(request.header("x") == "y z")
        for broken in Self.refused {
            #expect(refusal(of: broken.0, pieceBytes: pieceBytes) == broken.1, "\(broken.0)")
        }
    }

    @Test(arguments: Self.refused)
    func `a malformed head is refused`(head: String, reason: HTTPParseError.Reason) {
        #expect(refusal(of: head) == reason)
    }

    private static let host = "Host: h\r\n"
    private static let get = "GET / HTTP/1.1\r\n"
    static let refused: [(String, HTTPParseError.Reason)] = [
        ("GET /\r\n\r\n", .malformedRequestLine),
        ("GET  HTTP/1.1\r\n", .malformedTarget),
        (" GET / HTTP/1.1\r\n", .malformedRequestLine),
        ("G(T / HTTP/1.1\r\n", .malformedRequestLine),
        ("GET / http/1.1\r\n", .malformedRequestLine),
        ("GET / HTTP/11\r\n", .malformedRequestLine),
        ("GET / HTTP/2.0\r\n", .unsupportedVersion),
        ("GET / HTTP/1.2\r\n", .unsupportedVersion),
        ("PRI * HTTP/2.0\r\n", .unsupportedVersion),
        ("GET / x HTTP/1.1\r\n", .malformedTarget),
        ("GET path HTTP/1.1\r\n", .malformedTarget),
        ("GET /#f HTTP/1.1\r\n", .malformedTarget),
        ("GET /\u{E9} HTTP/1.1\r\n", .malformedTarget),
        ("GET ftp://h/ HTTP/1.1\r\n", .malformedTarget),
        ("GET /\t HTTP/1.1\r\n", .malformedTarget),
        ("\r\n\r\nGET / HTTP/1.1\r\n", .malformedRequestLine),
        ("\u{16}\u{3}\u{1}", .controlByte(0x16)),
        ("GET /\0 HTTP/1.1\r\n", .controlByte(0)),
        ("GET / HTTP/1.1\n", .controlByte(0x0A)),
        ("GET / HTTP/1.1\rX", .controlByte(0x0D)),
        ("GET / HTTP/1.1\r\r\n", .controlByte(0x0D)),
        (get + "Host: h\n", .controlByte(0x0A)),
        (get + "Host: h\rX: y\r\n", .controlByte(0x0D)),
        (get + "Host: \0\r\n", .controlByte(0)),
        (get + "Host: \u{7F}\r\n", .controlByte(0x7F)),
        (get + "Host : h\r\n", .whitespaceBeforeColon),
        (get + "Host\t: h\r\n", .whitespaceBeforeColon),
        (get + host + " folded\r\n", .foldedHeader),
        (get + host + "\tfolded\r\n", .foldedHeader),
        (get + ": h\r\n", .malformedHeader),
        (get + "Host\r\n", .malformedHeader),
        (get + "Ho(st: h\r\n", .malformedHeader),
        (get + "\r\n", .invalidHost),
        (get + host + host + "\r\n", .invalidHost),
        (get + "Host: a b\r\n\r\n", .invalidHost),
        (get + "Host: a/b\r\n\r\n", .invalidHost),
        ("GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", .invalidHost),
        (get + host + "Content-Length: 1\r\ncontent-length: 1\r\n\r\n", .invalidContentLength),
        (get + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", .invalidContentLength),
        (get + host + "Content-Length: 1, 1\r\n\r\n", .invalidContentLength),
        (get + host + "Content-Length: -1\r\n\r\n", .invalidContentLength),
        (get + host + "Content-Length: +1\r\n\r\n", .invalidContentLength),
        (get + host + "Content-Length:\r\n\r\n", .invalidContentLength),
        (get + host + "Content-Length: 9999999999999999999\r\n\r\n", .invalidContentLength),
        (
            get + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            .conflictingFraming
        ),
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .conflictingFraming),
        (get + host + "Transfer-Encoding: gzip\r\n\r\n", .unsupportedTransferCoding),
        (get + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", .unsupportedTransferCoding),
        (
            get + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            .unsupportedTransferCoding
        ),
    ]

    @Test(arguments: [
        ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "Connection: x, Close\r\n", false), ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("HTTP/1.1", "Content-Length: 5\r\n", true), ("HTTP/1.1", "Content-Length: 0\r\n", true),
        ("HTTP/1.1", "Transfer-Encoding: chunked\r\n", true),
    ])
    func `keep-alive follows version and Connection`(
        version: String, headers: String, keepsAlive: Bool
    ) throws {
        let request = try parsed("GET / \(version)\r\nHost: h\r\n\(headers)\r\n")
        #expect(request.keepsAlive == keepsAlive)
    }

    @Test(arguments: [
        ("HTTP/1.1", "Content-Length: 5\r\nExpect: 100-continue\r\n", true),
        ("HTTP/1.1", "Content-Length: 5\r\nexpect: 100-Continue\r\n", true),
        ("HTTP/1.1", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", true),
        ("HTTP/1.1", "Content-Length: 0\r\nExpect: 100-continue\r\n", false),
        ("HTTP/1.1", "Content-Length: 5\r\n", false),
        ("HTTP/1.0", "Content-Length: 5\r\nExpect: 100-continue\r\n", false),
        ("HTTP/1.0", "Content-Length: 5\r\nExpect: else\r\n", false),
    ])
    func `a continue is expected for a body of HTTP 1.1 only (RFC 9110 §10.1.1)`(
        version: String, headers: String, expectsContinue: Bool
    ) throws {
        let request = try parsed("POST / \(version)\r\nHost: h\r\n\(headers)\r\n")
        #expect(request.expectsContinue == expectsContinue)
    }

    @Test(arguments: ["200-ok", "100-continue, x"])
    func `another expectation gets 417`(value: String) {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: \(value)\r\n\r\n"
        #expect(refusal(of: head) == .unknownExpectation)
        #expect(HTTPParseError(.unknownExpectation).status == .expectationFailed)
    }

    @Test(arguments: 0...255 as ClosedRange<UInt8>)
    func `a name may hold token bytes only (RFC 9110 §5.6.2)`(byte: UInt8) throws {
        var parser = HTTPRequestParser()
        let head =
            Array("GET / HTTP/1.1\r\nHost: h\r\na".utf8) + [byte] + Array("b: c\r\n\r\n".utf8)
        let isDigitOrLetter =
            byte < 0x80
            && (Character(Unicode.Scalar(byte)).isLetter || (0x30...0x39).contains(byte))
        let isToken = isDigitOrLetter || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        let request: HTTPRequest?
        do throws(HTTPParseError) {
            request = try feed(head, to: &parser, pieceBytes: 1000)
        } catch {
            request = nil
        }
        // A colon ends the name "a"; the value is then "b: c".
        #expect((request != nil) == (isToken || byte == UInt8(ascii: ":")))
    }

    @Test(arguments: [
        "", "h", "h:", "h:80", "h:65536", "a.example.", "1.2.3.4:1", "a_b", "h%2f", "a,b;c=d",
        "[::1]", "[::1]:80", "[::ffff:1.2.3.4]",
    ])
    func `a host with or without a port is taken (RFC 9110 §7.2)`(value: String) throws {
        let request = try parsed("GET / HTTP/1.1\r\nHost: \(value)\r\n\r\n")
        #expect(request.header("Host") == value)
    }

    @Test(arguments: [
        "a b", "a, b", "a/b", "a\\b", "a?b", "a#b", "user@h", "http://h", "h:80:80", "h:8a",
        "h: 80", "h:-1", ":80", ":", "h%2", "h%zz", "%", "[::1", "::1", "[::1]80", "[::1]:x", "[]",
        "[h]",
        "[v1.a]", "[::1%25lo]", "h]", "[[::1]]", "\u{E9}", "a\tb", "<h>",
    ])
    func `a value of Host that names no host gets 400 (RFC 9112 §3.2)`(value: String) {
        #expect(refusal(of: "GET / HTTP/1.1\r\nHost: \(value)\r\n\r\n") == .invalidHost)
        #expect(HTTPParseError(.invalidHost).status == .badRequest)
    }

    @Test(arguments: [
        ("http://h/p", "h", true), ("http://h/p", "H", true), ("http://h:80", "h", true),
        ("http://h", "h:80", true), ("https://h", "h:443", true), ("ws://h:/", "h:80", true),
        ("wss://h:443?q", "h", true), ("http://[::1]:81/", "[::1]:81", true), ("/", "a", true),
        ("*", "a", true), ("/a://b", "a", true), ("http://h/", "a", false),
        ("http://h/", "", false), ("http://h:443/", "h", false), ("https://h:80/", "h", false),
        ("http://h:81/", "h:82", false), ("http://h.a/", "h", false), ("http://h80", "h", false),
        ("http://[::80]", "[:]", false),
    ])
    func `a target in absolute form and Host name the same (RFC 9112 §3.2.2)`(
        target: String, host: String, areSame: Bool
    ) {
        let refusal = refusal(of: "GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(refusal == (areSame ? nil : .invalidHost))
    }

    @Test(arguments: [
        "http://", "http:///", "http://?a", "http://user@h/", "http://h:80:80/", "http://h:x",
        "http://[::1/", "http://:80/", "http:/h", "ftp://h/",
    ])
    func `a target whose authority names no host gets 400`(target: String) {
        for version in ["1.0", "1.1"] {
            let head = "GET \(target) HTTP/\(version)\r\nHost: h\r\n\r\n"
            #expect(refusal(of: head) == .malformedTarget)
        }
        #expect(refusal(of: "GET http://h HTTP/1.0\r\n\r\n") == nil)
    }

    @Test(arguments: 0...255 as ClosedRange<UInt8>)
    func `a host may hold the bytes of a name only (RFC 3986 §3.2.2)`(byte: UInt8) throws {
        var parser = HTTPRequestParser()
        let head = Array("GET / HTTP/1.1\r\nHost: a".utf8) + [byte] + Array("1\r\n\r\n".utf8)
        let isDigitOrLetter =
            byte < 0x80
            && (Character(Unicode.Scalar(byte)).isLetter || (0x30...0x39).contains(byte))
        // A colon begins the port.
        let isValid = isDigitOrLetter || "!$&'()*+,-.;=_~:".utf8.contains(byte)
        let request: HTTPRequest?
        do throws(HTTPParseError) {
            request = try feed(head, to: &parser, pieceBytes: 1000)
        } catch {
            request = nil
        }
        #expect((request != nil) == isValid)
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `damaged heads end the same however they are cut`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bytes = Array(HandshakeFixture.request().utf8)
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let index = Int.random(in: bytes.indices, using: &generator)
            bytes[index] = UInt8.random(in: 0...255, using: &generator)
        }
        let whole = outcome(of: bytes, pieceBytes: bytes.count)
        for pieceBytes in [1, 2, 7, 33] {
            #expect(outcome(of: bytes, pieceBytes: pieceBytes) == whole, "seed \(seed)")
        }
    }

    @Test(arguments: -1...1, 0..<4)
    func `a head at the edge of a limit ends the same however it is cut`(beyond: Int, which: Int) {
        let bytes = Array(HandshakeFixture.request().utf8)
        var limits = HTTPLimits()
        switch which {
        case 0: limits.headBytesMax = bytes.count - beyond
        case 1: limits.requestLineBytesMax = "GET /chat HTTP/1.1".utf8.count - beyond
        case 2:
            limits.headerLineBytesMax =
                "Sec-WebSocket-Key: \(HandshakeFixture.key)".utf8.count - beyond
        default: limits.headersMax = 7 - beyond
        }
        let whole = outcome(of: bytes, pieceBytes: bytes.count, limits: limits)
        #expect(whole.hasPrefix("GET") == (beyond <= 0), "\(whole)")
        for pieceBytes in [1, 7, 33, bytes.count - 1] {
            #expect(outcome(of: bytes, pieceBytes: pieceBytes, limits: limits) == whole)
        }
    }
}
