import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("The client's address behind proxies", .timeLimit(.minutes(10)))
struct ClientAddressTests {
    private static let who = "GET /who HTTP/1.1\r\nHost: h\r\n"

    private func bench(_ source: TrustedProxies.Source) async throws -> HTTPBench {
        let ranges = try ["10.0.0.0/8", "2001:db8:1::/48"].map { try AddressRange($0) }
        return try await HTTPBench {
            $0.proxies = TrustedProxies(ranges, source: source)
            $0.handshakesPerAddressMax = 2
        }
    }

    /// Who the server takes the client for.
    private func client(_ bench: HTTPBench, from host: String, _ fields: String) throws -> String {
        let peer = try bench.connect(from: host)
        bench.send(Self.who + fields + "\r\n", on: peer)
        defer { peer.close() }
        return answers(in: peer.text).joined()
    }

    // MARK: - X-Forwarded-For

    @Test(arguments: [
        ("203.0.113.9", "203.0.113.9:0"), ("203.0.113.9:55", "203.0.113.9:55"),
        ("evil, 203.0.113.9", "203.0.113.9:0"), ("1.2.3.4,203.0.113.9 , 10.9.9.9", "203.0.113.9:0"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1:0"), ("2001:db8:2::1", "[2001:db8:2::1]:0"),
        ("[2001:db8:2::1]:66", "[2001:db8:2::1]:66"),
        ("203.0.113.9, 2001:db8:1::5", "203.0.113.9:0"),
        // What cannot be read hides its client: the proxy that wrote it is the last one known.
        ("203.0.113.9, unknown, 10.9.9.9", "10.9.9.9:0"), ("203.0.113.9, 10.9.9.9, ", "10.0.0.1"),
        ("1.2.3.4.5", "10.0.0.1"), ("[::1", "10.0.0.1"), ("1.2.3.4:99999", "10.0.0.1"),
        ("203.0.113.9\r\nX-Forwarded-For: 203.0.113.10", "203.0.113.10:0"),
        ("203.0.113.9\r\nX-Forwarded-For: 10.0.0.3", "203.0.113.9:0"),
        // Characters that combine with what a proxy writes behind or before them.
        ("\u{0600}, 203.0.113.9", "203.0.113.9:0"),
        ("10.3.3.3\u{200D}, 203.0.113.9", "203.0.113.9:0"),
        ("203.0.113.9,\u{0301}10.9.9.9", "10.0.0.1"),
    ])
    func `the last address that is no trusted proxy's is the client`(
        list: String, expected: String
    ) async throws {
        let bench = try await bench(.forwardedFor)
        let said = try client(bench, from: "10.0.0.1", "X-Forwarded-For: \(list)\r\n")
        #expect(said.hasPrefix("200 \(expected)"), "\(said)")
    }

    @Test func `who is not trusted may say what it wants`() async throws {
        let bench = try await bench(.forwardedFor)
        let said = try client(bench, from: "203.0.113.1", "X-Forwarded-For: 203.0.113.9\r\n")
        #expect(said.hasPrefix("200 203.0.113.1:"))
    }

    @Test(arguments: ["GET /ws HTTP/1.1\r\nUpgrade: websocket", "GET /late HTTP/1.1"])
    func `what failed is the client's, not the proxy's`(head: String) async throws {
        let bench = try await bench(.forwardedFor)
        let peer = try bench.connect(from: "10.0.0.1")
        bench.send("\(head)\r\nHost: h\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n", on: peer)
        bench.network.run(for: .seconds(61))
        #expect(bench.failures.count == 1)
        #expect(try bench.blamed == [SocketAddress(host: "203.0.113.9", port: 0)])
    }

    @Test func `a proxy may have many connections`() async throws {
        let bench = try await bench(.forwardedFor)
        let peers = try (0..<5).map { _ in try bench.connect(from: "10.0.0.1") }
        #expect(peers.allSatisfy { $0.received.isEmpty && !$0.isEnded })
    }

    // MARK: - PROXY protocol

    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    private static let headers: [String: (bytes: [UInt8], client: String)] = [
        "TCP4": (Array("PROXY TCP4 203.0.113.9 10.0.0.1 55 80\r\n".utf8), "203.0.113.9:55"),
        "TCP6": (
            Array("PROXY TCP6 2001:db8:2::1 2001:db8:1::1 55 80\r\n".utf8), "[2001:db8:2::1]:55"
        ),
        "unknown": (Array("PROXY UNKNOWN whatever it is\r\n".utf8), "10.0.0.1"),
        "2, IPv4": (
            signature + [0x21, 0x11, 0, 12, 203, 0, 113, 9, 10, 0, 0, 1, 0, 55, 0, 80],
            "203.0.113.9:55"
        ),
        "2, IPv4 and more": (
            signature + [0x21, 0x11, 0, 15, 203, 0, 113, 9, 10, 0, 0, 1, 0, 55, 0, 80, 4, 0, 0],
            "203.0.113.9:55"
        ),
        "2, IPv6": (
            signature + [0x21, 0x21, 0, 36, 0x20, 1, 0x0D, 0xB8, 0, 2]
                + .init(repeating: 0, count: 9)
                + [1] + .init(repeating: 0, count: 16) + [0, 55, 0, 80], "[2001:db8:2::1]:55"
        ),
        "2, local": (signature + [0x20, 0, 0, 0], "10.0.0.1"),
        "2, Unix": (
            signature + [0x21, 0x31, 0, 216] + .init(repeating: 1, count: 216), "10.0.0.1"
        ),
    ]

    @Test(arguments: headers.keys.sorted(), [1, 5, 1_000])
    func `a header says who the client is, however it is cut`(
        name: String, pieceBytes: Int
    ) async throws {
        let (bytes, expected) = try #require(Self.headers[name])
        let bench = try await bench(.proxyProtocol)
        let peer = try bench.connect(from: "10.0.0.1")
        let stream = bytes + Array((Self.who + "\r\n" + Self.who + "\r\n").utf8)
        for start in stride(from: 0, to: stream.count, by: pieceBytes) {
            peer.send(Array(stream[start..<min(start + pieceBytes, stream.count)]))
            bench.network.runUntilIdle()
        }
        let said = answers(in: peer.text)
        #expect(said.count == 2 && said.allSatisfy { $0.hasPrefix("200 \(expected)") }, "\(said)")
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PROXY TCP4 203.0.113.9 10.0.0.1 55\r\n", "PROXY  TCP4\r\n",
        "PROXY TCP4 2001:db8::1 10.0.0.1 55 80\r\n", "PROXY TCP6 1.2.3.4 10.0.0.1 55 80\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 055 80\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 65536 80\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 55 80\n", "proxy tcp4\r\n", "PROXX TCP4 a b 1 2\r\n",
        "PROXY UNKNOWN \(String(repeating: "x", count: 100))\r\n", "\r\n\r\nX",
    ])
    func `a trusted proxy that breaks the rules is closed without an answer`(
        text: String
    ) async throws {
        let bench = try await bench(.proxyProtocol)
        let peer = try bench.connect(from: "10.0.0.1")
        bench.send(text, on: peer)
        #expect(peer.isEnded && peer.received.isEmpty)
        #expect(bench.failures.count == 1 && bench.failures[0].contains("PROXY header"))
    }

    @Test(arguments: [[0x11, 0x11, 0, 12], [0x22, 0x11, 0, 12], [0x21, 0x11, 0xFF, 0xFF]])
    func `version 2 that is none is closed`(rest: [UInt8]) async throws {
        let bench = try await bench(.proxyProtocol)
        let peer = try bench.connect(from: "10.0.0.1")
        peer.send(Self.signature + rest)
        bench.network.runUntilIdle()
        #expect(peer.isEnded && peer.received.isEmpty)
    }

    @Test func `a header of a stranger is no HTTP`() async throws {
        let bench = try await bench(.proxyProtocol)
        let peer = try bench.connect(from: "203.0.113.1")
        bench.send("PROXY TCP4 203.0.113.9 10.0.0.1 55 80\r\n" + Self.who + "\r\n", on: peer)
        #expect(peer.text.hasPrefix("HTTP/1.1 400 ") && peer.isEnded)
        let said = try client(bench, from: "203.0.113.2", "")
        #expect(said.hasPrefix("200 203.0.113.2:"))
    }

    @Test func `clients behind a proxy are counted by their own addresses`() async throws {
        let bench = try await bench(.proxyProtocol)
        func connect(_ host: String) throws -> SimulatedPeer {
            let peer = try bench.connect(from: "10.0.0.1")
            bench.send("PROXY TCP4 \(host) 10.0.0.1 55 80\r\n", on: peer)
            return peer
        }
        _ = (try connect("203.0.113.9"), try connect("203.0.113.9"))
        #expect(try connect("203.0.113.9").text.hasPrefix("HTTP/1.1 429 "))
        #expect(try !connect("203.0.113.10").isEnded)
    }

    @Test func `a proxy that says nothing is closed at the deadline`() async throws {
        let bench = try await bench(.proxyProtocol)
        let peer = try bench.connect(from: "10.0.0.1")
        bench.send("PROXY ", on: peer)
        bench.network.run(for: .milliseconds(10_100))
        #expect(peer.isEnded && peer.received.isEmpty)
    }

    // MARK: - Ranges

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.4", false),
        ("10.99.0.0/8", "10.1.1.1", true), ("0.0.0.0/0", "203.0.113.1", true),
        ("0.0.0.0/0", "2001:db8::1", false), ("10.0.0.0/8", "::ffff:10.1.1.1", true),
        ("2001:db8::/32", "2001:db8:ff::1", true), ("2001:db8::/32", "2001:db9::", false),
        ("2001:db8::/65", "2001:db8::7fff:0:0:1", true),
        ("2001:db8::/65", "2001:db8::8000:0:0:1", false), ("::1", "::1", true),
        ("::/0", "::1", true), ("unix", "10.0.0.1", false),
    ])
    func `a range has the addresses of its prefix`(
        range: String, host: String, contains: Bool
    ) throws {
        let address = try SocketAddress(host: host, port: 9)
        #expect(try AddressRange(range).contains(address) == contains)
    }

    @Test func `Unix sockets are a range`() throws {
        #expect(try AddressRange("unix").contains(.unix(path: "/run/a")))
    }

    @Test(arguments: [
        "", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-0", "::/-0",
        "a/b/c",
    ])
    func `what is no range is refused`(text: String) {
        #expect(throws: AddressRangeError(text: text)) { try AddressRange(text) }
    }
}
