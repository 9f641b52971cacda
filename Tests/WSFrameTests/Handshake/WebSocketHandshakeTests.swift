import Testing
import WSFrame

@Suite("WebSocketHandshake, RFC 6455 §4.2", .timeLimit(.minutes(5)))
struct WebSocketHandshakeTests {
    private func upgrade(_ head: String) throws -> WebSocketUpgrade {
        try WebSocketHandshake.validate(try parsed(head))
    }

    private func rejection(_ head: String) throws -> HandshakeRejection {
        let request = try parsed(head)
        do throws(HandshakeRejection) {
            _ = try WebSocketHandshake.validate(request)
        } catch {
            return error
        }
        throw IncompleteHead()
    }

    @Test func `the request of RFC 6455 §1_2 gets the answer of §1_3`() throws {
        let upgrade = try upgrade(HandshakeFixture.request())
        #expect(upgrade.subprotocols == ["chat", "superchat"])
        let response = String(decoding: upgrade.response(subprotocol: "chat"), as: UTF8.self)
        #expect(
            response
                == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                + "Sec-WebSocket-Protocol: chat\r\n\r\n")
    }

    @Test(
        arguments: [
            ["Upgrade": "WebSocket"], ["Upgrade": "h2c, websocket"],
            ["Connection": "keep-alive, Upgrade"],
            ["Connection": "upgrade"], ["Sec-WebSocket-Protocol": nil], ["Origin": nil],
            ["Sec-WebSocket-Protocol": ",, a ,\tb,"],
        ] as [[String: String?]])
    func `other forms of the same are accepted`(changes: [String: String?]) throws {
        #expect(throws: Never.self) {
            try upgrade(HandshakeFixture.request(replacing: changes))
        }
    }

    @Test(
        arguments: [
            (["Upgrade": nil], .notAnUpgrade, .upgradeRequired),
            (["Upgrade": "websockets"], .notAnUpgrade, .upgradeRequired),
            (["Upgrade": "h2c"], .notAnUpgrade, .upgradeRequired),
            (["Connection": nil], .notAnUpgrade, .upgradeRequired),
            (["Connection": "keep-alive"], .notAnUpgrade, .upgradeRequired),
            (["Sec-WebSocket-Key": nil], .key, .badRequest),
            (["Sec-WebSocket-Key": ""], .key, .badRequest),
            (["Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ="], .key, .badRequest),
            (["Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZTE="], .key, .badRequest),
            (["Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j*Q=="], .key, .badRequest),
            (["Sec-WebSocket-Version": nil], .version, .upgradeRequired),
            (["Sec-WebSocket-Version": "8"], .version, .upgradeRequired),
            (["Sec-WebSocket-Version": "0"], .version, .upgradeRequired),
            (["Sec-WebSocket-Version": "013"], .version, .upgradeRequired),
            (["Sec-WebSocket-Version": "13, 8"], .version, .upgradeRequired),
            (["Sec-WebSocket-Protocol": "chat, bad name"], .subprotocols, .badRequest),
            (["Sec-WebSocket-Protocol": "chat;q=1"], .subprotocols, .badRequest),
        ] as [([String: String?], HandshakeRejection.Reason, HTTPStatus)])
    func `a request that breaks a rule is refused`(
        changes: [String: String?], reason: HandshakeRejection.Reason, status: HTTPStatus
    ) throws {
        let error = try rejection(HandshakeFixture.request(replacing: changes))
        #expect(error.reason == reason)
        #expect(error.status == status)
        #expect(error.response.status == status)
    }

    @Test func `another method is refused with 405`() throws {
        let error = try rejection(HandshakeFixture.request(line: "POST /chat HTTP/1.1"))
        #expect(error.status == .methodNotAllowed)
        #expect(error.response.headers.contains(HTTPHeader("Allow", "GET")))
    }

    @Test func `HTTP 1_0 is refused`() throws {
        let error = try rejection(HandshakeFixture.request(line: "GET /chat HTTP/1.0"))
        #expect(error.reason == .httpVersion && error.status == .badRequest)
    }

    @Test(
        arguments: [
            ("Sec-WebSocket-Key", HandshakeFixture.key, .key),
            ("Sec-WebSocket-Version", "13", .duplicateVersion),
            ("Content-Length", "5", .body), ("Transfer-Encoding", "chunked", .body),
        ] as [(String, String, HandshakeRejection.Reason)])
    func `a second key or version and a body are refused`(
        name: String, value: String, reason: HandshakeRejection.Reason
    ) throws {
        let error = try rejection(HandshakeFixture.request(adding: [(name, value)]))
        #expect(error.reason == reason && error.status == .badRequest)
    }

    @Test func `a refused version is told the right one (drafts)`() throws {
        let draft = HandshakeFixture.request(
            replacing: ["Sec-WebSocket-Version": nil, "Sec-WebSocket-Key": nil],
            adding: [("Sec-WebSocket-Key1", "4 @1  46546xW%0l 1 5")])
        let response = try rejection(draft).response
        #expect(response.headers.contains(HTTPHeader("Sec-WebSocket-Version", "13")))
        #expect(response.headers.contains(HTTPHeader("Upgrade", "websocket")))
        let text = String(decoding: response.encoded(for: nil), as: UTF8.self)
        #expect(text.contains("Connection: close, Upgrade\r\n"))
    }

    @Test func `a plain request is no upgrade`() throws {
        let plain = try parsed("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(!WebSocketHandshake.isRequested(by: plain))
        let request = try parsed(HandshakeFixture.request())
        #expect(WebSocketHandshake.isRequested(by: request))
    }

    @Test func `the client's order decides the subprotocol`() throws {
        let upgrade = try upgrade(HandshakeFixture.request())
        #expect(upgrade.preferredSubprotocol(among: ["superchat", "chat"]) == "chat")
        #expect(upgrade.preferredSubprotocol(among: ["superchat"]) == "superchat")
        #expect(upgrade.preferredSubprotocol(among: ["Chat"]) == nil)
    }

    @Test func `subprotocols in several headers are one list`() throws {
        let head = HandshakeFixture.request(adding: [("Sec-WebSocket-Protocol", "third")])
        #expect(try upgrade(head).subprotocols == ["chat", "superchat", "third"])
    }

    @Test func `a subprotocol that was not offered traps`() async {
        await #expect(processExitsWith: .failure) {
            let upgrade = try WebSocketHandshake.validate(parsed(HandshakeFixture.request()))
            _ = upgrade.response(subprotocol: "other\r\nX: y")
        }
    }

    @Test func `a long subprotocol list is read once (CVE-2021-32640, CVE-2020-7662)`() throws {
        // It would take minutes if it were read again for every element.
        let list = Array(repeating: "a ,\t", count: 250_000).joined()
        let head = HandshakeFixture.request(replacing: ["Sec-WebSocket-Protocol": list])
        let limits = HTTPLimits(headerLineBytesMax: 2 << 20, headBytesMax: 4 << 20)
        let request = try parsed(head, limits: limits)
        #expect(try WebSocketHandshake.validate(request).subprotocols.count == 250_000)
    }

    @Test func `more headers go into the answer`() throws {
        let cookie = try HTTPHeader(name: "Set-Cookie", value: "a=b")
        let response = try upgrade(HandshakeFixture.request()).response(headers: [cookie])
        #expect(String(decoding: response, as: UTF8.self).hasSuffix("\r\nSet-Cookie: a=b\r\n\r\n"))
    }

    @Test(arguments: [
        "Connection", "upgrade", "Content-Length", "Transfer-Encoding", "Sec-WebSocket-Accept",
        "sec-websocket-extensions", "SEC-WEBSOCKET-PROTOCOL",
    ])
    func `what the handshake says itself cannot be said again`(name: String) throws {
        let upgrade = try upgrade(HandshakeFixture.request())
        let header = try HTTPHeader(name: name, value: "1")
        #expect(upgrade.response(headers: [header]) == upgrade.response())
    }
}

@Suite("SHA-1, FIPS 180-4, and base64, RFC 4648")
struct DigestTests {
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
        (
            String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"
        ),
    ])
    func `the published digests come out`(message: String, hex: String) {
        let bytes = Array(message.utf8)
        #expect(hexDigits(SHA1.digest(of: bytes.span.bytes)) == hex)
        #expect(hexDigits(SHA1.digest(of: bytes.span.bytes, isPortable: true)) == hex)
    }

    private func hexDigits(_ digest: [20 of UInt8]) -> String {
        digest.indices.map { index in
            let digits = String(digest[index], radix: 16)
            return digits.utf8.count == 1 ? "0" + digits : digits
        }.joined()
    }

    // Lengths about the ends of blocks; the digests are those of Python's hashlib.
    @Test(arguments: [
        (55, "8ae2d46729cfe68ff927af5eec9c7d1b66d65ac2"),
        (56, "636e2ec698dac903498e648bd2f3af641d3c88cb"),
        (59, "4a7713d44e97d9f09ae1d786199c58ae2bfaf3eb"),
        (63, "6d942da0c4392b123528f2905c713a3ce28364bd"),
        (64, "c6138d514ffa2135bfce0ed0b8fac65669917ec7"),
        (119, "41c89d06001bab4ab78736b44efe7ce18ce6ae08"),
        (120, "d3dbd653bd8597b7475321b60a36891278e6a04a"),
    ])
    func `any length is padded to whole blocks`(count: Int, hex: String) {
        let message = (0..<count).map { UInt8($0) }
        #expect(hexDigits(SHA1.digest(of: message.span.bytes)) == hex)
        #expect(hexDigits(SHA1.digest(of: message.span.bytes, isPortable: true)) == hex)
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func `the published encodings come out`(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == Array(encoded.utf8))
    }

    @Test func `what encoding writes is what a key may have`() throws {
        let digits = Base64.encode((0..<48).map { UInt8($0 * 5) }).filter { $0 != 0x3D }
        let all = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        #expect(Set(digits).isSubset(of: all))
        for byte in UInt8.min...UInt8.max where byte > 0x20 && byte != 0x7F {
            var key = Array("dGhlIHNhbXBsZSBub25jZQ==".utf8)
            key[7] = byte
            let request = try? parsed(
                "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ", key, "\r\n\r\n")
            let isTaken = request.map { (try? WebSocketHandshake.validate($0)) != nil }
            #expect(isTaken == all.contains(byte))
        }
    }

    private func parsed(_ start: String, _ key: [UInt8], _ end: String) throws -> HTTPRequest {
        var parser = HTTPRequestParser()
        let bytes = Array(start.utf8) + key + Array(end.utf8)
        guard case .request(let request, _) = try parser.parse(bytes.span.bytes) else {
            throw CancellationError()
        }
        return request
    }
}
