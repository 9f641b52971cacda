import NetPollTesting
import Testing

@testable import RPC

@Suite("Envelopes of ttrpc 1.2")
struct EnvelopeTests {
    private func request(_ name: String) throws -> (RequestEnvelope, [UInt8]) {
        let data = Array(try Vectors.frame(name)[FrameHeader.bytes...])
        return (try data.withUnsafeBytes { try RequestEnvelope($0) }, data)
    }

    private func response(_ name: String) throws -> (ResponseEnvelope, [UInt8]) {
        let data = Array(try Vectors.frame(name)[FrameHeader.bytes...])
        return (try data.withUnsafeBytes { try ResponseEnvelope($0) }, data)
    }

    private func text(_ bytes: [UInt8], _ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    @Test(arguments: [
        "request-unary", "request-timeout", "request-expired", "request-metadata",
        "request-announcing", "request-server-streaming", "request-one-way", "request-to-client",
        "request-unknown-fields",
    ])
    func `a request names service, method and payload`(name: String) throws {
        let (envelope, data) = try request(name)
        #expect(text(data, envelope.service) == "greet.Greeter")
        #expect(text(data, envelope.method) == "SayHello")
        #expect(text(data, envelope.payload) == "hi")
    }

    @Test(arguments: [
        ("request-unary", 0), ("request-timeout", 1_500_000_000), ("request-expired", -1),
    ])
    func `a timeout is signed nanoseconds`(name: String, nanoseconds: Int64) throws {
        #expect(try request(name).0.timeoutNanoseconds == nanoseconds)
    }

    @Test func `metadata keeps order and repeated keys`() throws {
        let (envelope, data) = try request("request-metadata")
        var entries: [String] = []
        data.withUnsafeBytes { bytes in
            envelope.forEachEntry(of: bytes) {
                entries.append("\(text(data, $0.key))=\(text(data, $0.value))")
            }
        }
        #expect(entries == ["a=1", "a=2", "b="])
    }

    @Test(
        arguments: [
            ("request-unary", FrameFlags(), 1, 0, RPCMetadata(), false, "hi"),
            ("request-empty", [], 3, 0, [:], false, ""),
            ("request-timeout", [], 5, 1_500_000_000, [:], false, "hi"),
            ("request-expired", [], 7, -1, [:], false, "hi"),
            ("request-metadata", [], 9, 0, ["a": "1", "A": "2", "b": ""], false, "hi"),
            ("request-announcing", [], 1, 0, [:], true, "hi"),
            ("request-server-streaming", .remoteClosed, 11, 0, [:], false, "hi"),
            ("request-client-streaming", .remoteOpen, 13, 0, [:], false, ""),
            ("request-one-way", .oneWay, 15, 0, [:], false, "hi"),
            ("request-to-client", [], 2, 0, [:], false, "hi"),
        ] as [(String, FrameFlags, UInt32, Int64, RPCMetadata, Bool, String)])
    func `requests are written as the vectors say`(
        name: String, flags: FrameFlags, stream: UInt32, timeout: Int64, metadata: RPCMetadata,
        announces: Bool, payload: String
    ) throws {
        let frame = Sample.request(
            stream, flags: flags, service: "greet.Greeter", method: "SayHello", timeout: timeout,
            metadata: metadata, announces: announces, Array(payload.utf8))
        #expect(frame.bytes == (try Vectors.frame(name)))
    }

    @Test func `responses are written as the vectors say`() throws {
        let detail = RPCError.Detail(typeURL: "type.example/a", value: [1, 2])
        let frames: [(String, Frame)] = [
            ("response-ok", Sample.response(1, Array("ho".utf8))),
            ("response-empty", Sample.response(1)),
            (
                "response-unimplemented",
                Sample.response(3, status: RPCError(.unimplemented, "no such method"))
            ),
            (
                "response-details",
                Sample.response(5, status: RPCError(.notFound, "gone", details: [detail]))
            ),
            (
                "response-negative-code",
                Sample.response(7, status: RPCError(StatusCode(rawValue: -1)))
            ),
        ]
        for (name, frame) in frames { #expect(frame.bytes == (try Vectors.frame(name)), "\(name)") }
    }

    @Test(
        arguments: [
            ("response-ok", 0, "", "ho", 0), ("response-empty", 0, "", "", 0),
            ("response-status-zero", 0, "", "ho", 0),
            ("response-unimplemented", 12, "no such method", "", 0),
            ("response-details", 5, "gone", "", 1), ("response-negative-code", -1, "", "", 0),
        ] as [(String, Int32, String, String, Int)])
    func `a response says status and payload`(
        name: String, code: Int32, message: String, payload: String, details: Int
    ) throws {
        let (envelope, data) = try response(name)
        #expect(envelope.code == code)
        #expect(text(data, envelope.message) == message)
        #expect(text(data, envelope.payload) == payload)
        #expect(envelope.detailCount == details)
        var seen: [String] = []
        data.withUnsafeBytes { bytes in
            envelope.forEachDetail(of: bytes) { seen.append(text(data, $0.typeURL)) }
        }
        #expect(seen == (details == 1 ? ["type.example/a"] : []))
    }

    @Test(
        arguments: [
            ([0x0a], EnvelopeError.truncated), ([0x0a, 5, 0x61], .truncated),
            ([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], .truncated),
            ([0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2], .oversizedVarint),
            ([0x08, 1], .wrongWireType(field: 1)), ([0x22, 0], .wrongWireType(field: 4)),
            ([0x02, 0], .invalidTag), ([0x36, 0], .invalidTag), ([0x37, 0], .invalidTag),
            ([0x34], .malformedGroup), ([0x33], .truncated),
            ([0x0a, 1, 0xff], .invalidUTF8(field: 1)), ([0x12, 1, 0x80], .invalidUTF8(field: 2)),
            ([0x2a, 2, 0x0a, 1], .truncated), ([0x2a, 3, 0x0a, 1, 0xc0], .invalidUTF8(field: 1)),
        ] as [([UInt8], EnvelopeError)])
    func `lies about types and lengths are refused`(bytes: [UInt8], error: EnvelopeError) {
        #expect(throws: error) { try bytes.withUnsafeBytes { try RequestEnvelope($0) } }
    }

    @Test func `groups may be nested 32 deep and no deeper`() throws {
        func nested(_ depth: Int) -> [UInt8] {
            [UInt8](repeating: 0x33, count: depth) + [UInt8](repeating: 0x34, count: depth)
        }
        _ = try nested(32).withUnsafeBytes { try RequestEnvelope($0) }
        #expect(throws: EnvelopeError.malformedGroup) {
            try nested(33).withUnsafeBytes { try RequestEnvelope($0) }
        }
    }

    @Test func `the last of a repeated field counts, and statuses merge`() throws {
        let request: [UInt8] = [0x0a, 1, 0x61, 0x0a, 1, 0x62]
        let envelope = try request.withUnsafeBytes { try RequestEnvelope($0) }
        #expect(text(request, envelope.service) == "b")
        let response: [UInt8] = [0x0a, 2, 0x08, 5, 0x0a, 3, 0x12, 1, 0x78]
        let merged = try response.withUnsafeBytes { try ResponseEnvelope($0) }
        #expect(merged.code == 5)
        #expect(text(response, merged.message) == "x")
    }

    @Test(arguments: 0..<500 as Range<UInt64>)
    func `garbage and spoiled envelopes never trap`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let names = Vectors.all.keys.sorted()
        for _ in 0..<20 {
            var bytes = Array(
                Vectors.all[names.randomElement(using: &random) ?? ""]?.dropFirst(10) ?? [])
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                bytes[.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            bytes.removeLast(min(bytes.count, Int.random(in: 0...3, using: &random)))
            bytes.withUnsafeBytes { buffer in
                if let request = try? RequestEnvelope(buffer) {
                    #expect(request.payload.upperBound <= buffer.count, "seed \(seed)")
                    request.forEachEntry(of: buffer) {
                        #expect($0.value.upperBound <= buffer.count)
                    }
                }
                if let response = try? ResponseEnvelope(buffer) {
                    #expect(response.payload.upperBound <= buffer.count, "seed \(seed)")
                    response.forEachDetail(of: buffer) {
                        #expect($0.value.upperBound <= buffer.count)
                    }
                }
            }
        }
    }

    @Test(arguments: ["longwire-ext", "Longwire-Ext", "LONGWIRE-EXT"])
    func `the announcement is found whatever the case of its key`(key: String) throws {
        var frame = Sample.request(1, metadata: ["longwire-ext": "1"])
        let start = try #require(frame.data.firstIndex(of: UInt8(ascii: "l")))
        frame.data.replaceSubrange(start..<start + key.utf8.count, with: key.utf8)
        let envelope = try frame.data.withUnsafeBytes { try RequestEnvelope($0) }
        #expect(frame.data.withUnsafeBytes { Announcement.isIn(envelope, of: $0) })
    }

    @Test func `other keys and other values are no announcement`() throws {
        for (key, value) in [("longwire-ext", "2"), ("longwire_ext", "1"), ("x", "1")] {
            let frame = Sample.request(1, metadata: [key: value])
            let envelope = try frame.data.withUnsafeBytes { try RequestEnvelope($0) }
            #expect(!frame.data.withUnsafeBytes { Announcement.isIn(envelope, of: $0) })
        }
    }
}
