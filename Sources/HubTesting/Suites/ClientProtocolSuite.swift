public import Hub
public import WSFrame

/// A protocol and its counterpart: how a client writes and reads what a hub reads and writes.
public struct ProtocolPair: Sendable {
    /// The hub's side.
    public var server: any Hub.ClientProtocol
    /// Writes what a client says; `nil` where the protocol has no word for it.
    public var encode: @Sendable (ClientEnvelope) -> (bytes: [UInt8], kind: MessageKind)?
    /// Reads what the hub said.
    public var decode: @Sendable (RawSpan, MessageKind) throws -> ServerEnvelope

    /// Creates a pair.
    public init(
        server: any Hub.ClientProtocol,
        encode: @escaping @Sendable (ClientEnvelope) -> (bytes: [UInt8], kind: MessageKind)?,
        decode: @escaping @Sendable (RawSpan, MessageKind) throws -> ServerEnvelope
    ) {
        self.server = server
        self.encode = encode
        self.decode = decode
    }

    /// Creates the pair of a protocol that has both sides itself.
    public init(_ subject: some EnvelopeProtocol) {
        self.init(server: subject) {
            subject.encode($0)
        } decode: {
            try subject.decodeAnswer($0, kind: $1)
        }
    }
}

/// What every ``/Hub/ClientProtocol`` has to keep.
public enum ClientProtocolSuite {
    /// The rules for any protocol.
    public static let checks: [ConformanceCheck<any Hub.ClientProtocol>] = [
        .init("the same envelope is the same bytes each time") { subject in
            for envelope in ServerEnvelope.samples {
                let first = subject.encode(envelope)
                let second = subject.encode(envelope)
                try expect(first.map { Array($0.bytes) }, second.map { Array($0.bytes) }, "bytes")
                try expect(first?.kind, second?.kind, "kind")
            }
        },
        .init("text frames are UTF-8") { subject in
            for envelope in ServerEnvelope.samples {
                guard let frame = subject.encode(envelope), frame.kind == .text else { continue }
                let text = String(validating: frame.payload, as: UTF8.self)
                _ = try require(text, "text of \(envelope)")
            }
        },
        .init("whatever bytes come, decoding returns or throws") { subject in
            var bits: UInt64 = 1
            for round in 0..<4_000 {
                var bytes: [UInt8] = []
                for _ in 0..<(round % 40) {
                    bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    bytes.append(UInt8(truncatingIfNeeded: bits >> 33))
                }
                // An error is as good an answer as an envelope.
                do throws(ClientProtocolError) {
                    _ = try subject.decode(bytes.span.bytes, kind: .binary)
                } catch { continue }
            }
            for text in deepTexts {
                do throws(ClientProtocolError) {
                    _ = try subject.decode(Array(text.utf8).span.bytes, kind: .text)
                } catch { continue }
            }
        },
    ]

    /// The rules for a protocol that carries envelopes whole.
    public static let pairChecks: [ConformanceCheck<ProtocolPair>] = [
        .init("what the hub says arrives as it was said") { pair in
            for envelope in ServerEnvelope.samples {
                let frame = try require(pair.server.encode(envelope), "frame of \(envelope)")
                let read = try pair.decode(frame.payload.bytes, frame.kind)
                try expect(read, envelope, "envelope")
            }
        },
        .init("what a client says arrives as it was said") { pair in
            for envelope in ClientEnvelope.samples {
                let (bytes, kind) = try require(pair.encode(envelope), "frame of \(envelope)")
                let read = try pair.server.decode(bytes.span.bytes, kind: kind)
                try expect(read, envelope, "envelope")
            }
        },
        .init("cut and changed messages are read or refused, never more") { pair in
            for envelope in ClientEnvelope.samples {
                let (bytes, kind) = try require(pair.encode(envelope), "frame of \(envelope)")
                for index in bytes.indices {
                    var changed = bytes
                    changed[index] ^= 0x15
                    for candidate in [Array(bytes[..<index]), changed] {
                        // Text that is not UTF-8 never gets this far.
                        if kind == .text, String(validating: candidate, as: UTF8.self) == nil {
                            continue
                        }
                        do throws(ClientProtocolError) {
                            _ = try pair.server.decode(candidate.span.bytes, kind: kind)
                        } catch { continue }
                    }
                }
            }
        },
    ]

    private static let deepTexts = [
        "", "{", "[]", "null", "{}", "\"", String(repeating: "[", count: 60_000),
        String(repeating: "{\"a\":", count: 10_000),
        "{" + (0..<5_000).map { "\"k\($0)\":0" }.joined(separator: ",") + "}",
        "{\"" + String(repeating: "\u{301}", count: 30_000) + "\":1}",
    ]
}
