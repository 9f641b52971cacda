import Testing
import WSFrame

@Suite("Negotiation of permessage-deflate by a server, RFC 7692 §5, §7.1")
struct ServerNegotiationTests {
    private func upgrade(_ offers: [String]) throws -> WebSocketUpgrade {
        let adding = offers.map { ("Sec-WebSocket-Extensions", $0) }
        let request = try parsed(HandshakeFixture.request(adding: adding))
        return try WebSocketHandshake.validate(request)
    }

    private func answer(
        _ offers: String..., to configuration: CompressionConfiguration = .every
    ) throws -> String? {
        try upgrade(offers).compression(configuration)?.headerValue
    }

    @Test(
        arguments: [
            ("permessage-deflate", "permessage-deflate"),
            ("Permessage-Deflate", "permessage-deflate"),
            (
                "permessage-deflate; server_no_context_takeover",
                "permessage-deflate; server_no_context_takeover"
            ),
            (
                "permessage-deflate ;client_no_context_takeover",
                "permessage-deflate; client_no_context_takeover"
            ),
            (
                "permessage-deflate; server_max_window_bits=10",
                "permessage-deflate; server_max_window_bits=10"
            ),
            (
                "permessage-deflate; server_max_window_bits=\"10\"",
                "permessage-deflate; server_max_window_bits=10"
            ),
            // What was asked for is granted by saying so (§7.1.2.1).
            (
                "permessage-deflate; server_max_window_bits=15",
                "permessage-deflate; server_max_window_bits=15"
            ),
            (
                "permessage-deflate; server_max_window_bits=16, "
                    + "permessage-deflate; client_max_window_bits; server_max_window_bits=15",
                "permessage-deflate; server_max_window_bits=15"
            ),
            (
                "permessage-deflate, permessage-deflate; server_max_window_bits=15",
                "permessage-deflate"
            ),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
            (
                "permessage-deflate; client_max_window_bits=9",
                "permessage-deflate; client_max_window_bits=9"
            ),
            (
                "permessage-deflate; server_max_window_bits=8",
                "permessage-deflate; server_max_window_bits=8"
            ),
            ("x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"),
            ("other; a=\"b\\,\"; c, , permessage-deflate", nil),
            (", permessage-deflate ,", "permessage-deflate"),
        ] as [(String, String?)])
    func `an offer is accepted as it is`(offer: String, expected: String?) throws {
        guard let expected else {
            #expect(throws: HandshakeRejection(.extensions)) { try upgrade([offer]) }
            return
        }
        #expect(try answer(offer) == expected)
    }

    @Test(arguments: [
        "permessage-deflate; unknown", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=99999999999999999999",
        "permessage-deflate; client_max_window_bits=0",
        "permessage-deflate; client_max_window_bits=1a",
        "permessage-deflate; server_no_context_takeover=true",
        "permessage-deflate; client_no_context_takeover=\"x\"",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=\"1\\0\"",
        "permessage-bzip2",
    ])
    func `an offer that cannot be had is declined (§7.1, CVE-2026-2229)`(offer: String) throws {
        #expect(try answer(offer) == nil)
        // A fallback behind it is taken (§5.2).
        #expect(try answer("\(offer), permessage-deflate") == "permessage-deflate")
        #expect(try answer(offer, "permessage-deflate") == "permessage-deflate")
    }

    @Test(arguments: [
        "permessage-deflate;", "permessage-deflate; =8", "permessage-deflate; a=", "; a",
        "permessage-deflate a", "permessage-deflate; a=\"", "permessage-deflate; a=\"\"",
        "permessage-deflate; a=\"b c\"", "a b", "(", "permessage-deflate; a=b=c", "a; b=\"\\",
    ])
    func `a malformed header is refused with 400 (RFC 6455 §9.1)`(value: String) throws {
        let error = try #require(throws: HandshakeRejection.self) { try upgrade([value]) }
        #expect(error.reason == .extensions)
        #expect(error.status == .badRequest)
    }

    @Test func `how an agreement was asked for does not make it another`() throws {
        let offers = ["permessage-deflate; server_max_window_bits=15"]
        var agreed = try #require(try upgrade(offers).compression(.every))
        #expect(agreed == PerMessageDeflate())
        #expect(Set([agreed, PerMessageDeflate()]).count == 1)
        agreed.serverWindowBits = 10
        #expect(agreed.headerValue == "permessage-deflate; server_max_window_bits=10")
    }

    @Test func `what this side does not take over is refused in the answer`() throws {
        let expected =
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        #expect(try answer("permessage-deflate", to: .shared) == expected)
    }

    @Test func `windows are the smaller of both wishes`() throws {
        var narrow = CompressionConfiguration.every
        narrow.ownWindowBitsMax = 11
        narrow.peerWindowBitsMax = 10
        let offer = "permessage-deflate; client_max_window_bits"
        let both = "permessage-deflate; server_max_window_bits=11; client_max_window_bits=10"
        #expect(try answer(offer, to: narrow) == both)
        #expect(try answer("\(offer)=12", to: narrow) == both)
        let smaller = "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8"
        #expect(try answer("\(offer)=8; server_max_window_bits=9", to: narrow) == smaller)
    }

    @Test func `a client that cannot be bound takes no context over where it would be (§7.1.1.2)`()
        throws
    {
        let bare = "permessage-deflate"
        #expect(
            try answer(bare, to: .context)
                == "\(bare); client_no_context_takeover; server_max_window_bits=12")
        var wide = CompressionConfiguration.context
        wide.peerWindowBitsMax = 15
        #expect(try answer(bare, to: wide) == "\(bare); server_max_window_bits=12")
    }

    @Test func `of a client that cannot be bound nothing is held between its messages`() throws {
        let agreed = try #require(try upgrade(["permessage-deflate"]).compression(.context))
        let pool = DeflatePool()
        let server = DeflateCodec(agreed, role: .server, configuration: .context, pool: pool)
        var every = CompressionConfiguration.every
        every.thresholdBytes = 0
        let client = DeflateCodec(
            agreed, role: .client, configuration: every, pool: DeflatePool())
        var receiving = ServerProtocol(configuration: ProtocolConfiguration(), deflate: server)
        // Three times the same, further apart than a window of 12 bits reaches.
        let unit = (0..<20_000).map { UInt8(truncatingIfNeeded: ($0 &* $0 &* 31) >> 7) }
        let message = unit + unit + unit
        for _ in 0..<3 {
            let compressed = client.compressed(message.span.bytes)
            let payload = Array(try #require(compressed))
            var bytes = FrameEncoder.frame(
                payload.span.bytes, opcode: .binary, isCompressed: true,
                maskingKey: MaskingKey(1, 2, 3, 4))
            var span = bytes.mutableSpan
            var input = span.mutableBytes
            var cursor = 0
            #expect(try receiving.next(in: &input, at: &cursor) == .message(.binary, .kept))
            #expect(receiving.keptPayload.elementsEqual(message))
            #expect(try receiving.next(in: &input, at: &cursor) == nil)
        }
        #expect(pool.contextsHeld == 0)
    }

    @Test func `no offer, no answer`() throws {
        let upgrade = try upgrade([])
        #expect(upgrade.compression(.shared) == nil)
        let text = String(decoding: upgrade.response(), as: UTF8.self)
        #expect(!text.contains("Extensions"))
    }

    @Test func `the answer is in the response`() throws {
        let upgrade = try upgrade(["permessage-deflate; server_max_window_bits=9"])
        let agreed = upgrade.compression(.every)
        let text = String(decoding: upgrade.response(compression: agreed), as: UTF8.self)
        let line = "\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n"
        #expect(text.contains(line))
    }

    @Test func `long headers are read in one pass (CVE-2021-32640, CVE-2020-7662)`() throws {
        // Each would take minutes if it were read again for every element or quote.
        let limits = HTTPLimits(headerLineBytesMax: 1 << 20, headBytesMax: 2 << 20)
        for unit in ["permessage-deflate; a, ", "a; b=\"c\", ", ", ", "a;b;c;d,"] {
            let value = String(repeating: unit, count: (1 << 20 - 100) / unit.utf8.count)
            let head = HandshakeFixture.request(adding: [("Sec-WebSocket-Extensions", value)])
            var parser = HTTPRequestParser(limits: limits)
            let bytes = Array(head.utf8)
            guard case .request(let request, _) = try parser.parse(bytes.span.bytes) else {
                Issue.record("incomplete")
                return
            }
            #expect(try WebSocketHandshake.validate(request).compression(.every) == nil)
        }
    }

    @Test func `window bits outside 8 to 15 trap`() async {
        await #expect(processExitsWith: .failure) { _ = PerMessageDeflate(serverWindowBits: 7) }
        await #expect(processExitsWith: .failure) { _ = PerMessageDeflate(clientWindowBits: 16) }
        await #expect(processExitsWith: .failure) {
            var configuration = CompressionConfiguration()
            configuration.ownWindowBitsMax = 8
            _ = DeflateCodec(
                PerMessageDeflate(), role: .server, configuration: configuration,
                pool: DeflatePool())
        }
    }
}

@Suite("Negotiation of permessage-deflate by a client, RFC 7692 §5, §7.1")
struct ClientNegotiationTests {
    private func opening(
        _ answers: [String], to configuration: CompressionConfiguration?
    ) throws -> PerMessageDeflate? {
        let nonce = [16 of UInt8](repeating: 7)
        let request = WebSocketRequest(
            host: "a", compression: configuration.map { .with($0) } ?? .off)
        var handshake = try WebSocketClientHandshake(request, nonce: nonce)
        let text = String(decoding: handshake.requestBytes, as: UTF8.self)
        let line = text.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") }
        let key = try #require(line).dropFirst(19)
        let accept = WebSocketHandshake.acceptValue(forKey: Array(String(key).utf8))
        var head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        head += "Connection: Upgrade\r\nSec-WebSocket-Accept: "
        head += String(decoding: accept, as: UTF8.self) + "\r\n"
        for answer in answers { head += "Sec-WebSocket-Extensions: \(answer)\r\n" }
        let bytes = Array((head + "\r\n").utf8)
        guard case .opened(let opening, _) = try handshake.receive(bytes.span.bytes) else {
            Issue.record("incomplete")
            return nil
        }
        return opening.compression
    }

    private func refusal(
        _ answers: String..., to configuration: CompressionConfiguration? = .every
    ) -> WebSocketHandshakeError.Reason? {
        do {
            _ = try opening(answers, to: configuration)
            return nil
        } catch {
            return (error as? WebSocketHandshakeError)?.reason
        }
    }

    private func offer(_ configuration: CompressionConfiguration?) throws -> String? {
        let request = WebSocketRequest(
            host: "a", compression: configuration.map { .with($0) } ?? .asConfigured)
        let handshake = try WebSocketClientHandshake(
            request, nonce: [16 of UInt8](repeating: 7))
        let text = String(decoding: handshake.requestBytes, as: UTF8.self)
        let line = text.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Ext") }
        return line.map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    @Test func `the offer says what is wanted`() throws {
        #expect(try offer(nil) == nil)
        #expect(try offer(.every) == "permessage-deflate; client_max_window_bits")
        let shared =
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
            + "client_max_window_bits"
        #expect(try offer(.shared) == shared)
        let context =
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
        #expect(try offer(.context) == context)
    }

    @Test func `an answer within the offer is taken`() throws {
        #expect(try opening([], to: .every) == nil)
        #expect(try opening(["permessage-deflate"], to: .every) == PerMessageDeflate())
        let narrow = "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8"
        #expect(
            try opening([narrow], to: .every)
                == PerMessageDeflate(serverWindowBits: 9, clientWindowBits: 8))
        let none = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        let without = PerMessageDeflate(
            serverNoContextTakeover: true, clientNoContextTakeover: true)
        #expect(try opening([none], to: .every) == without)
        // The server need not repeat what concerns the client alone (§7.1.1.2).
        #expect(
            try opening(["permessage-deflate; server_no_context_takeover"], to: .shared)
                == without)
    }

    @Test func `an answer that was not asked for fails the handshake (RFC 6455 §9.1)`() {
        #expect(refusal("permessage-deflate", to: nil) == .unofferedExtension)
        #expect(refusal("other") == .unofferedExtension)
        #expect(refusal("permessage-deflate, other") == .unofferedExtension)
    }

    @Test(
        arguments: [
            ("permessage-deflate, permessage-deflate", .duplicateExtension),
            ("permessage-deflate; other", .unknownParameter),
            (
                "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                .duplicateParameter
            ),
            ("permessage-deflate; server_max_window_bits", .invalidValue),
            ("permessage-deflate; client_max_window_bits", .invalidValue),
            ("permessage-deflate; client_max_window_bits=7", .invalidValue),
            ("permessage-deflate; server_max_window_bits=16", .invalidValue),
            ("permessage-deflate; server_no_context_takeover=1", .invalidValue),
            ("permessage-deflate;", .malformed),
            ("permessage-deflate; a=\"", .malformed),
        ] as [(String, ExtensionError.Reason)])
    func `a wrong answer fails the handshake (§7.1)`(
        answer: String, reason: ExtensionError.Reason
    ) {
        #expect(refusal(answer) == .compression(ExtensionError(reason)))
        #expect(!ExtensionError(reason).description.isEmpty)
    }

    @Test func `more than was offered is not taken`() {
        let notAsOffered = WebSocketHandshakeError.Reason.compression(
            ExtensionError(.notAsOffered))
        // Contexts of the server's cost memory here.
        #expect(refusal("permessage-deflate", to: .shared) == notAsOffered)
        var narrow = CompressionConfiguration.every
        narrow.peerWindowBitsMax = 10
        narrow.ownWindowBitsMax = 10
        #expect(refusal("permessage-deflate", to: narrow) == notAsOffered)
        let wide = "permessage-deflate; server_max_window_bits=11"
        #expect(refusal(wide, to: narrow) == notAsOffered)
        let fitting = "permessage-deflate; server_max_window_bits=10"
        #expect(refusal(fitting, to: narrow) == nil)
        #expect(refusal("\(fitting); client_max_window_bits=11", to: narrow) == notAsOffered)
        #expect(refusal("\(fitting); client_max_window_bits=9", to: narrow) == nil)
    }
}
