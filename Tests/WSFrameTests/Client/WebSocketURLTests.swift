import NetPollTesting
import Testing

@testable import WSFrame

@Suite("WebSocket URLs, RFC 6455 §3 and RFC 3986")
struct WebSocketURLTests {
    private static func reason(_ url: String) -> WebSocketURLError.Reason? {
        do throws(WebSocketURLError) {
            _ = try WebSocketRequest(url: url)
            return nil
        } catch {
            #expect(!error.description.isEmpty)
            return error.reason
        }
    }

    @Test(
        arguments: [
            ("ws://example.com", "example.com", "/", 80),
            ("WS://Example.COM/", "Example.COM", "/", 80),
            ("ws://example.com:80/chat", "example.com", "/chat", 80),
            ("ws://example.com:/chat", "example.com", "/chat", 80),
            ("ws://example.com:08080/a/b?c=d&e", "example.com:8080", "/a/b?c=d&e", 8080),
            ("ws://example.com?query", "example.com", "/?query", 80),
            ("ws://example.com/%C3%A9?a[]=%23/?", "example.com", "/%C3%A9?a[]=%23/?", 80),
            ("ws://127.0.0.1:65535", "127.0.0.1:65535", "/", 65_535),
            ("ws://example.com./x", "example.com.", "/x", 80),
            ("ws://a_b-c.x0:1/", "a_b-c.x0:1", "/", 1),
            ("ws://@host/", "host", "/", 80),
        ] as [(String, String, String, UInt16)])
    func `a URL becomes host and target`(
        url: String, host: String, target: String, port: UInt16
    ) throws {
        let request = try WebSocketRequest(url: url)
        #expect(request.host == host)
        #expect(request.target == target)
        #expect(request.credentials == nil)
        #expect(try request.server.port == port)
    }

    @Test(
        arguments: [
            "::1", "::", "fe80::1:2", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
            "::ffff:127.0.0.1", "1:2:3:4:5:6:127.0.0.1", "ABCD::",
        ])
    func `an IPv6 address stands in brackets`(address: String) throws {
        let plain = try WebSocketRequest(url: "ws://[\(address)]/")
        #expect(plain.host == "[\(address)]")
        let request = try WebSocketRequest(url: "ws://[\(address)]:81")
        #expect(request.host == "[\(address)]:81")
        let server = try request.server
        #expect(server.host == address && server.port == 81)
        #expect(server.authority == "[\(address)]:81")
    }

    @Test(
        arguments: [
            "", "/", "?q", "[", "[]", "[::1", "[::1]x", "[:::]", "[1::2::3]", "[1:2:3:4:5:6:7]",
            "[1:2:3:4:5:6:7:8:9]", "[12345::]", "[g::]", "[::1%25eth0]", "[127.0.0.1]", "[1:]",
            "[::127.0.0.1:1]", "a..b", ".a", ".", "a%41b", "a!b", "1.2.3", "1.2.3.256", "01.2.3.4",
            "1.2.3.4.5", "127.1", "0x7f.0.0.1", "0x7f000001", "a.0x", "1.2.3.4.", "user@",
            String(repeating: "a", count: 64), String(repeating: "a.", count: 126) + "aa",
        ])
    func `what is no host is refused`(host: String) {
        #expect(Self.reason("ws://\(host)") == .host)
    }

    @Test func `the longest name and label are taken`() throws {
        let label = String(repeating: "a", count: 63)
        _ = try WebSocketRequest(url: "ws://\(label)")
        _ = try WebSocketRequest(url: "ws://" + String(repeating: "a.", count: 126) + "a")
    }

    @Test(arguments: ["0", "65536", "99999999999999999999", "-1", "+1", "8o", "80:80", "%38"])
    func `a port that is none is refused`(port: String) {
        #expect(Self.reason("ws://host:\(port)/") == .port)
    }

    @Test func `a scheme with TLS is refused by name`() {
        #expect(Self.reason("wss://host/") == .needsTLS(scheme: "wss"))
        #expect(Self.reason("WSS://host/") == .needsTLS(scheme: "wss"))
    }

    @Test func `other schemes are refused`() {
        #expect(Self.reason("http://host/") == .scheme("http"))
        #expect(Self.reason("localhost:8080/") == .scheme("localhost"))
        #expect(Self.reason("host/path") == .scheme(""))
        #expect(Self.reason("") == .scheme(""))
        #expect(Self.reason("ws:host") == .host)
        #expect(Self.reason("ws:/host") == .host)
    }

    @Test func `a fragment is refused (RFC 6455 §3)`() {
        #expect(Self.reason("ws://host/#part") == .fragment)
        #expect(Self.reason("ws://host#") == .fragment)
    }

    @Test(
        arguments: Array(0...0x20) + [0x22, 0x3C, 0x3E, 0x5C, 0x5E, 0x60, 0x7B, 0x7C, 0x7D, 0x7F])
    func `a character that no URL has is refused (CVE-2026-1527)`(byte: UInt8) {
        let character = String(UnicodeScalar(byte))
        #expect(Self.reason("ws://host/a\(character)b") == .character(byte, offset: 11))
        #expect(Self.reason("ws://ho\(character)st/") == .character(byte, offset: 7))
    }

    @Test func `text beyond ASCII is refused`() {
        #expect(Self.reason("ws://höst/") == .character(0xC3, offset: 6))
        #expect(Self.reason("ws://host/ü") == .character(0xC3, offset: 10))
    }

    @Test(arguments: ["%", "%4", "%4g", "%g4"])
    func `half a percent-encoding is refused`(text: String) {
        #expect(Self.reason("ws://host/\(text)") == .percentEncoding(offset: 10))
    }

    @Test(
        arguments: [
            ("ada", "ada", ""), ("ada:", "ada", ""), ("ada:pass:word", "ada", "pass:word"),
            ("%41da:%3A%40%2F%C3%A9", "Ada", ":@/é"), (":secret", "", "secret"),
        ])
    func `user and password become Basic credentials`(
        userinfo: String, user: String, password: String
    ) throws {
        let request = try WebSocketRequest(url: "ws://\(userinfo)@host:81/path")
        #expect(request.credentials == BasicCredentials(user: user, password: password))
        #expect(request.host == "host:81")
        #expect(request.target == "/path")
    }

    @Test(arguments: ["a%3Ab:c", "a%0Db", "a:%0A", "a:%7F", "%FF", "a@b", "a:b@c"])
    func `credentials that Basic cannot carry are refused`(userinfo: String) {
        #expect(Self.reason("ws://\(userinfo)@host/") == .userinfo)
    }

    @Test func `no error shows the password`() {
        #expect(Self.reason("ws://ada:secret@host:0/") == .port)
        #expect(!WebSocketURLError(.port).description.contains("secret"))
    }

    @Test func `a URL's request is encoded`() throws {
        let request = try WebSocketRequest(url: "ws://ada:b@[::1]:81/chat?x=1")
        let head = String(decoding: try request.encoded(key: Array("k".utf8)), as: UTF8.self)
        #expect(head.hasPrefix("GET /chat?x=1 HTTP/1.1\r\nHost: [::1]:81\r\n"))
        #expect(head.contains("\r\nAuthorization: Basic YWRhOmI=\r\n"))
    }

    @Test func `a host that was set by hand is read as strictly`() {
        #expect(throws: WebSocketRequestError(.host)) { try WebSocketRequest(host: "a/b").server }
        #expect(throws: WebSocketRequestError(.host)) { try WebSocketRequest(host: "a:0").server }
    }

    @Test(arguments: 0..<400 as Range<UInt64>)
    func `no text makes the reader trap, and what it takes it writes the same`(seed: UInt64) throws
    {
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            "ws:", "//", "a", "[", "::", "1", "]", ":", "80", "/", "?", "@", "%4", "1", ".", "é",
        ]
        for _ in 0..<50 {
            let text =
                "ws://"
                + (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                    pieces.randomElement(using: &generator) ?? ""
                }.joined()
            guard Self.reason(text) == nil else { continue }
            let once = try WebSocketRequest(url: text)
            let again = try WebSocketRequest(url: "ws://\(once.host)\(once.target)")
            #expect(again.host == once.host && again.target == once.target, "seed \(seed): \(text)")
        }
    }
}
