import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// What is sent raw, and what must come back (RFC 9110, RFC 9112).
@Suite("HTTP/1.1 torture table", .timeLimit(.minutes(10)))
struct HTTPTortureTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        let request: String
        let answers: [String]
        let isClosed: Bool

        init(_ name: String, _ request: String, _ answers: [String], closed: Bool = false) {
            self.name = name
            self.request = request
            self.answers = answers
            isClosed = closed
        }

        var testDescription: String { name }
    }

    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let echo = "POST /echo HTTP/1.1\r\nHost: h\r\n"

    /// A request for a WebSocket with one header replaced or added.
    private static func upgrade(
        _ path: String, _ name: String? = nil, _ value: String = "", method: String = "GET"
    ) -> String {
        var headers = [
            "Host": "h", "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
        ]
        if let name { headers[name] = value }
        let lines = headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
        return "\(method) \(path) HTTP/1.1\r\n\(lines)\r\n"
    }

    static let rows: [Row] = [
        // Keep-alive and pipelining, RFC 9112 §9.3.
        Row("one request", get, ["200 root"]),
        Row("three pipelined", get + get + get, ["200 root", "200 root", "200 root"]),
        Row("an empty line before a request", "\r\n" + get, ["200 root"]),
        Row(
            "close is asked for", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + get,
            ["200 root"], closed: true),
        Row("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n" + get, ["200 root"], closed: true),
        Row(
            "HTTP/1.0 with keep-alive",
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get, ["200 root", "200 root"]),
        Row("HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", ["505"], closed: true),
        Row(
            "HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ["505"], closed: true
        ),
        // Targets, RFC 9112 §3.2.
        Row("absolute form", "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", ["200 root"]),
        Row(
            "absolute form of an authority", "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n",
            ["200 root"]),
        Row("a query", "GET /?a=b HTTP/1.1\r\nHost: h\r\n\r\n", ["200 root"]),
        Row("no target", "GET  HTTP/1.1\r\nHost: h\r\n\r\n", ["400"], closed: true),
        Row("no slash", "GET index.html HTTP/1.1\r\nHost: h\r\n\r\n", ["400"], closed: true),
        Row("a fragment", "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", ["400"], closed: true),
        Row("a space in a target", "GET / x HTTP/1.1\r\nHost: h\r\n\r\n", ["400"], closed: true),
        Row("an unknown path", "GET /none HTTP/1.1\r\nHost: h\r\n\r\n" + get, ["404", "200 root"]),
        Row("a broken escape", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n" + get, ["400", "200 root"]),
        Row("another method", "PUT / HTTP/1.1\r\nHost: h\r\n\r\n" + get, ["405", "200 root"]),
        Row("OPTIONS", "OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n" + get, ["204", "200 root"]),
        Row("CONNECT", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", ["501"], closed: true),
        // Bodies, RFC 9112 §6, §7.1.
        Row(
            "a counted body", echo + "Content-Length: 5\r\n\r\nhello" + get,
            ["200 hello", "200 root"]),
        Row("no body", echo + "\r\n" + get, ["200", "200 root"]),
        Row("Content-Length: 0", echo + "Content-Length: 0\r\n\r\n" + get, ["200", "200 root"]),
        Row(
            "a chunked body",
            echo + "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" + get,
            ["200 hello", "200 root"]),
        Row(
            "trailers",
            echo + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: cd\r\n\r\n" + get,
            ["200 abcd", "200 root"]),
        Row(
            "a GET with a body",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + get,
            ["200 root", "200 root"]),
        Row(
            "a body nobody wants",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + get,
            ["405", "200 root"]),
        Row(
            "a chunked body nobody wants",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                + get, ["405"], closed: true),
        Row(
            "a long body nobody wants",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + get, ["405"],
            closed: true),
        Row(
            "a body at its bound",
            "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nfour"
                + get, ["204", "200 root"]),
        Row(
            "a body beyond its bound",
            "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nfive!" + get, ["413"],
            closed: true),
        Row(
            "a chunked body beyond its bound",
            "POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\n"
                + get, ["413"], closed: true),
        Row(
            "a chunk that is none", echo + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" + get,
            ["400"],
            closed: true),
        Row(
            "a chunk longer than it says",
            echo + "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n" + get, ["400"],
            closed: true),
        // Framing that two readers could understand differently, RFC 9112 §6.1, §6.3, §11.2.
        Row(
            "Content-Length twice",
            echo + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!" + get,
            ["400"], closed: true),
        Row(
            "Content-Length twice alike",
            echo + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + get, ["400"],
            closed: true),
        Row("a list of lengths", echo + "Content-Length: 5, 5\r\n\r\nhello", ["400"], closed: true),
        Row("a negative length", echo + "Content-Length: -1\r\n\r\n" + get, ["400"], closed: true),
        Row(
            "Content-Length and Transfer-Encoding",
            echo + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get,
            ["400"],
            closed: true),
        Row(
            "Transfer-Encoding in HTTP/1.0",
            "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get, ["400"],
            closed: true),
        Row(
            "an unknown coding", echo + "Transfer-Encoding: gzip, chunked\r\n\r\n" + get, ["501"],
            closed: true),
        Row(
            "a space before a colon", echo + "Content-Length : 5\r\n\r\nhello", ["400"],
            closed: true),
        Row("a folded line", echo + "X: a\r\n b\r\n\r\n" + get, ["400"], closed: true),
        Row("a bare LF", "GET / HTTP/1.1\nHost: h\n\n", ["400"], closed: true),
        Row("a bare CR", "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", ["400"], closed: true),
        Row("NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n", ["400"], closed: true),
        // Heads, RFC 9110 §7.2, RFC 6585 §5.
        Row("no Host", "GET / HTTP/1.1\r\n\r\n", ["400"], closed: true),
        Row("two Hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n", ["400"], closed: true),
        Row("no host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" + get, ["400"], closed: true),
        Row(
            "a flood of headers",
            "GET / HTTP/1.1\r\nHost: h\r\n" + String(repeating: "A: b\r\n", count: 100) + "\r\n",
            ["431"], closed: true),
        Row(
            "a header too long",
            "GET / HTTP/1.1\r\nHost: h\r\nA: \(String(repeating: "b", count: 9_000))\r\n\r\n",
            ["431"], closed: true),
        Row(
            "a target too long", "GET /\(String(repeating: "b", count: 9_000)) HTTP/1.1\r\n",
            ["414"], closed: true),
        // Expect, RFC 9110 §10.1.1.
        Row(
            "another expectation", echo + "Expect: more\r\nContent-Length: 1\r\n\r\na", ["417"],
            closed: true),
        Row(
            "an expectation of HTTP/1.0",
            "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
            ["200 ab"],
            closed: true),
        Row(
            "a failing responder", "GET /fails HTTP/1.1\r\nHost: h\r\n\r\n" + get,
            ["500", "200 root"]),
        Row(
            "a plain request of a WebSocket's path", "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n" + get,
            ["426", "200 root"]),
        // Bytes after a failed upgrade are no request: a proxy that has not read the refusal
        // takes them for frames and has looked at none of it. RFC 9110 §7.8, RFC 6455 §4.2.2.
        Row(
            "a request behind a version that is refused",
            upgrade("/ws", "Sec-WebSocket-Version", "12") + get, ["426"], closed: true),
        Row(
            "a request behind an upgrade without Connection",
            upgrade("/ws", "Connection", "close, keep-alive") + get, ["426"], closed: true),
        Row(
            "a request behind a key that is refused",
            upgrade("/ws", "Sec-WebSocket-Key", "short") + get, ["400"], closed: true),
        Row(
            "a request behind a page that is refused",
            upgrade("/ws", "Origin", "https://evil.example") + get, ["403"], closed: true),
        Row(
            "a request behind an upgrade that has a body",
            upgrade("/ws", "Content-Length", "\(get.utf8.count)") + get + get, ["400"],
            closed: true),
        Row(
            "a request behind an upgrade of another method",
            upgrade("/ws", method: "POST") + get, ["405"], closed: true),
        Row(
            "a request behind an upgrade of an unknown path", upgrade("/none") + get, ["404"],
            closed: true),
        Row(
            "a request behind an upgrade that is answered as a request", upgrade("/") + get,
            ["200 root"], closed: true),
        Row(
            "a request behind an upgrade to something else",
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + get,
            ["200 root", "200 root"]),
        Row("garbage", "\u{16}\u{3}\u{1}\u{2}\r\n\r\n", ["400"], closed: true),
    ]

    /// Answers without the text of errors.
    private static func plain(_ answers: [String]) -> [String] {
        answers.map { $0.first == "4" || $0.first == "5" ? String($0.prefix(3)) : $0 }
    }

    @Test(arguments: rows)
    func `each gets its answers, however its bytes are cut`(row: Row) async throws {
        for pieceBytes in [1 << 20, 7, 1] where pieceBytes > 7 || row.request.utf8.count < 1_000 {
            let bench = try await HTTPBench({ $0.origins = .sameOrigin })
            let peer = try bench.connect()
            bench.send(row.request, pieceBytes: pieceBytes, on: peer)
            #expect(Self.plain(answers(in: peer.text)) == row.answers, "by \(pieceBytes)")
            #expect(peer.isEnded == row.isClosed && !peer.isReset, "by \(pieceBytes)")
            if !row.isClosed { #expect(bench.failures.allSatisfy { $0.contains("responder") }) }
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `the table holds on a network with faults`(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        var faults = Faults()
        faults.shortReads = 0.5
        let kept = Self.rows.filter { !$0.isClosed }
        let chosen = (0..<8).compactMap { _ in kept.randomElement(using: &generator) }
        let bench = try await HTTPBench(seed: seed, faults: faults)
        let peer = try bench.connect()
        bench.send(chosen.map(\.request).joined(), on: peer)
        bench.network.run(for: .seconds(1))
        let expected = chosen.flatMap(\.answers)
        #expect(Self.plain(answers(in: peer.text)) == expected, "seed \(seed)")
    }
}
