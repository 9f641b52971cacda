import Hub
import HubTesting
import Testing
import WSFrame

@Suite("Longwire's envelopes in JSON and MessagePack")
struct EnvelopeProtocolTests {
    @Test(arguments: ClientProtocolSuite.checks)
    func `JSON keeps the rule`(check: ConformanceCheck<any Hub.ClientProtocol>) async throws {
        try await check.run(JSONProtocol())
    }

    @Test(arguments: ClientProtocolSuite.checks)
    func `MessagePack keeps the rule`(
        check: ConformanceCheck<any Hub.ClientProtocol>
    ) async throws {
        try await check.run(MessagePackProtocol())
    }

    @Test(arguments: ClientProtocolSuite.pairChecks)
    func `JSON keeps the rule, from both ends`(
        check: ConformanceCheck<ProtocolPair>
    ) async throws {
        try await check.run(ProtocolPair(JSONProtocol()))
    }

    @Test(arguments: ClientProtocolSuite.pairChecks)
    func `MessagePack keeps the rule, from both ends`(
        check: ConformanceCheck<ProtocolPair>
    ) async throws {
        try await check.run(ProtocolPair(MessagePackProtocol()))
    }

    private func read(_ text: String) throws(ClientProtocolError) -> ClientEnvelope {
        try JSONProtocol().decode(Array(text.utf8).span.bytes, kind: .text)
    }

    private func text(_ envelope: ServerEnvelope) throws -> String {
        let frame = try #require(JSONProtocol().encode(envelope))
        return String(decoding: frame.payload, as: UTF8.self)
    }

    @Test func `JSON is as it is written down`() throws {
        let position = TopicPosition(epoch: Epoch(rawValue: 36), offset: 7)
        #expect(
            try read(#"{"type":"subscribe","id":1,"topic":"a","epoch":"10","offset":7}"#)
                == .subscribe(RequestID(rawValue: 1), topic: "a", after: position))
        #expect(
            try read(#" {"event":"x","json": {"a": [1, 2]} ,"type":"message","new":{"b":null}} "#)
                == .message(
                    HubMessage(Payload(Array(#"{"a": [1, 2]}"#.utf8), format: .json), event: "x")))
        #expect(
            try text(
                .publication(topic: "a\n", HubMessage(text: "\u{1}ü/"), position: position))
                == #"{"type":"publication","topic":"a\n","epoch":"10","offset":7,"text":"\u0001ü/"}"#
        )
        #expect(
            try text(.message(HubMessage(Payload([0, 255, 39], format: .binary))))
                == #"{"type":"message","bytes":"AP8n"}"#)
        #expect(
            try text(
                .failure(
                    .init(
                        request: RequestID(rawValue: 3), code: .rateLimited, text: "slow",
                        retryAfter: .milliseconds(1_500))))
                == #"{"type":"failure","id":3,"code":6,"reason":"slow","retry":1500}"#)
    }

    @Test func `null is a value of JSON, and beside another form no field`() throws {
        let null = Payload(Array("null".utf8), format: .json)
        #expect(try read(#"{"type":"message","json":null}"#) == .message(HubMessage(null)))
        #expect(
            try read(#"{"type":"message","json": null, "text":"x","event":null}"#)
                == .message(HubMessage(text: "x")))
    }

    /// Looked up as a name, it would take minutes.
    @Test func `a type of combining marks is none`() {
        let marks = String(repeating: "\u{323}\u{301}", count: 1_000_000)
        #expect(throws: ClientProtocolError.self) { try read("{\"type\":\"a\(marks)\"}") }
    }

    @Test func `MessagePack is as it is written down`() throws {
        let bytes: [UInt8] = [
            0x84, 0, 4, 8, 0xa1, 0x78, 6, 0xa7, 0x7b, 0x22, 0x61, 0x22, 0x3a, 0x31, 0x7d, 99, 0xc0,
        ]
        #expect(
            try MessagePackProtocol().decode(bytes.span.bytes, kind: .binary)
                == .message(
                    HubMessage(Payload(Array(#"{"a":1}"#.utf8), format: .json), event: "x")))
        let frame = try #require(MessagePackProtocol().encode(.pong(RequestID(rawValue: 200))))
        #expect(Array(frame.payload) == [0x82, 0, 26, 1, 0xcc, 200])
    }

    @Test(arguments: [
        "", "nonsense", "[]", "{", #"{"type":"ping","id":1}x"#, #"{"type":"ping","id":01}"#,
        #"{"type":"ping",}"#, #"{"type":"ping" "id":1}"#, #"{"a":"\q"}"#, #"{"a":"\ud800"}"#,
        #"{"a":"\udc00\ud800"}"#, "{\"a\":\"\n\"}", #"{"a":tru}"#, #"{"a":-}"#, #"{"a":1.}"#,
        #"{"a":1e}"#, #"{"a":[1,]}"#, #"{"a":{"b"}}"#, #"{'a':1}"#, #"{"json":nul}"#,
    ])
    func `what is not JSON is refused, and the client closed`(text: String) {
        let error = #expect(throws: ClientProtocolError.self) { try read(text) }
        #expect(error?.closeCode == .protocolError, "\(text)")
    }

    @Test(arguments: [
        #"{}"#, #"{"id":7}"#, #"{"type":"nothing","id":7}"#, #"{"type":"welcome","id":7}"#,
        #"{"type":"ping","id":7,"id":8}"#, #"{"type":"request","id":7}"#,
        #"{"type":"request","id":7,"text":"a","json":1}"#,
        #"{"type":"request","id":7,"text":1}"#, #"{"type":"reply","id":7,"bytes":"A"}"#,
        #"{"type":"reply","id":7,"bytes":"AB=="}"#,
        #"{"type":"subscribe","id":7,"topic":"a","epoch":"1"}"#,
        #"{"type":"subscribe","id":7,"topic":"a","epoch":"ß","offset":1}"#,
        #"{"type":"subscribe","id":7,"topic":"a","epoch":"1","offset":-1}"#,
        #"{"type":"subscribe","id":7,"topic":"a","epoch":"1","offset":1.0}"#,
        #"{"type":"publish","id":7,"topic":"a","text":"","durability":"often"}"#,
        #"{"type":"acknowledge","id":7,"ids":["1",2]}"#, #"{"type":"acknowledge","id":7,"ids":1}"#,
    ])
    func `what says nothing is refused by its id, and the client goes on`(text: String) {
        let error = #expect(throws: ClientProtocolError.self) { try read(text) }
        #expect(error?.closeCode == nil, "\(text)")
        #expect(error?.request == (text == "{}" ? nil : RequestID(rawValue: 7)), "\(text)")
    }

    @Test func `ids, names, depth and elements have bounds`() throws {
        #expect(
            try read(#"{"type":"ping","id":4294967295}"#) == .ping(RequestID(rawValue: .max)))
        #expect(throws: ClientProtocolError.self) { try read(#"{"type":"ping","id":4294967296}"#) }
        func subscribe(_ count: Int) -> String {
            let name = String(repeating: "a", count: count)
            return #"{"type":"subscribe","id":1,"topic":"\#(name)"}"#
        }
        _ = try read(subscribe(256))
        #expect(throws: ClientProtocolError.self) { try read(subscribe(257)) }
        func nested(_ count: Int) -> String {
            let (open, close) = (
                String(repeating: "[", count: count), String(repeating: "]", count: count)
            )
            return #"{"type":"message","json":\#(open)\#(close)}"#
        }
        _ = try read(nested(32))
        #expect(throws: ClientProtocolError.self) { try read(nested(33)) }
        func acknowledge(_ count: Int) -> String {
            let ids = Array(repeating: #""1""#, count: count).joined(separator: ",")
            return #"{"type":"acknowledge","ids":[\#(ids)]}"#
        }
        _ = try read(acknowledge(65_534))
        #expect(throws: ClientProtocolError.self) { try read(acknowledge(65_535)) }
    }

    @Test func `each form takes its own kind of message only`() {
        let json = Array(#"{"type":"ping","id":1}"#.utf8)
        #expect(throws: ClientProtocolError.self) {
            try JSONProtocol().decode(json.span.bytes, kind: .binary)
        }
        let packed: [UInt8] = [0x82, 0, 11, 1, 1]
        #expect(throws: ClientProtocolError.self) {
            try MessagePackProtocol().decode(packed.span.bytes, kind: .text)
        }
    }

    @Test func `text that is not UTF-8 never reaches a text frame`() throws {
        let broken = HubMessage(Payload([0x61, 0xff], format: .text))
        #expect(try text(.message(broken)) == #"{"type":"message","text":"a\#u{fffd}"}"#)
    }
}
