import Testing
import WSFrame

@Suite("FrameEncoder, RFC 6455 §5.2")
struct FrameEncoderTests {
    @Test(
        arguments: [
            (0, [0x82, 0]), (1, [0x82, 1]), (125, [0x82, 125]),
            (126, [0x82, 126, 0, 126]), (127, [0x82, 126, 0, 127]),
            (65535, [0x82, 126, 0xFF, 0xFF]), (65536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])])
    func `a length takes the fewest bytes`(payloadBytes: Int, expected: [UInt8]) {
        let header = FrameHeader(opcode: .binary, payloadBytes: payloadBytes)
        #expect(ClientFrames.encoded(header) == expected)
        #expect(FrameEncoder.headerBytes(payloadBytes: payloadBytes) == expected.count)
        let masked = FrameEncoder.headerBytes(payloadBytes: payloadBytes, role: .client)
        #expect(masked == expected.count + 4)
    }

    @Test func `the frames of RFC 6455 §5_7 are written`() {
        let hello = Array("Hello".utf8)
        let plain = FrameEncoder.frame(hello.span.bytes, opcode: .text)
        #expect(plain == [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        let masked = FrameEncoder.frame(
            hello.span.bytes, opcode: .text, maskingKey: ClientFrames.key)
        #expect(masked == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
    }

    @Test func `a fragment has no FIN bit`() {
        let header = FrameHeader(isFinal: false, opcode: .text, payloadBytes: 3)
        #expect(ClientFrames.encoded(header) == [0x01, 0x03])
    }

    @Test(arguments: [0, 1, 125, 126, 65535, 65536, 100_000])
    func `what a client encodes a server decodes`(count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let frame = FrameEncoder.frame(
            payload.span.bytes, opcode: .binary, maskingKey: MaskingKey(9, 8, 7, 6))
        #expect(events(of: frame) == [.message(.binary, payload)])
    }

    @Test(arguments: [0, 1, 125, 126, 65535, 65536])
    func `what a server encodes a client decodes`(count: Int) throws {
        let payload = [UInt8](repeating: 3, count: count)
        let frame = FrameEncoder.frame(payload.span.bytes, opcode: .binary)
        var decoder = FrameDecoder(role: .client)
        var cursor = 0
        let limits = ProtocolLimits()
        let first = try decoder.next(in: frame.span.bytes, at: &cursor, limits: limits)
        #expect(first == .header(FrameHeader(opcode: .binary, payloadBytes: count)))
        let start = cursor
        let second = try decoder.next(in: frame.span.bytes, at: &cursor, limits: limits)
        #expect(
            second == .payload(range: start..<(start + count), maskingKey: nil, isLast: true))
        let third = try decoder.next(in: frame.span.bytes, at: &cursor, limits: limits)
        #expect(third == nil)
    }

    @Test func `a buffer too small traps`() async {
        await #expect(processExitsWith: .failure) {
            withUnsafeTemporaryAllocation(byteCount: 6, alignment: 1) { buffer in
                _ = FrameEncoder.encode([1, 2, 3, 4, 5].span.bytes, opcode: .text, into: buffer)
            }
        }
    }
}

@Suite("Close frames, RFC 6455 §5.5.1")
struct CloseFrameTests {
    @Test func `a close frame has its code in network order and its reason`() {
        let frame = FrameEncoder.closeFrame(.goingAway, reason: "bye")
        #expect(frame == [0x88, 5, 0x03, 0xE9] + "bye".utf8)
        #expect(FrameEncoder.closeFrame(nil) == [0x88, 0])
    }

    @Test(arguments: ["a", "é", "語", "🙂"])
    func `a reason too long is cut behind a whole character`(character: String) throws {
        let frame = FrameEncoder.closeFrame(
            .normal, reason: String(repeating: character, count: 200))
        let size = character.utf8.count
        #expect(Int(frame[1]) == 2 + FrameEncoder.closeReasonBytesMax / size * size)
        #expect(frame.count <= FrameEncoder.controlFrameBytesMax)
        #expect(String(validating: frame[4...], as: UTF8.self) != nil)
    }

    @Test(arguments: 0...123)
    func `a control frame is sent with what it was given and no byte more (CVE-2026-45736)`(
        count: Int
    ) {
        let bytes = [UInt8](repeating: 0x61, count: count)
        let reason = String(repeating: "a", count: count)
        let header = [0x88, UInt8(count + 2), 0x03, 0xE8] as [UInt8]
        #expect(FrameEncoder.closeFrame(.normal, reason: reason) == header + bytes)
        let key = MaskingKey(0, 0, 0, 0)
        let masked = FrameEncoder.closeFrame(.normal, reason: reason, maskingKey: key)
        #expect(masked == [0x88, 0x80 | UInt8(count + 2), 0, 0, 0, 0, 0x03, 0xE8] + bytes)
        let ping = FrameEncoder.frame(bytes.span.bytes, opcode: .ping)
        #expect(ping == [0x89, UInt8(count)] + bytes)
    }

    @Test func `a code that must not be sent traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = FrameEncoder.closeFrame(.noStatus)
        }
    }
}

@Suite("PreparedMessage")
struct PreparedMessageTests {
    @Test func `it holds one whole frame`() {
        let message = PreparedMessage(text: "Hello")
        #expect(message.kind == .text)
        #expect(Array(message.bytes) == [0x81, 0x05] + "Hello".utf8)
        #expect(Array(message.payload) == Array("Hello".utf8))
        let count = message.withBytes { $0.byteCount }
        #expect(count == 7)
    }

    @Test(arguments: [0, 126, 65536])
    func `any length is framed as the encoder does`(count: Int) {
        let payload = [UInt8](repeating: 5, count: count)
        let message = PreparedMessage(payload.span.bytes, kind: .binary)
        let frame = FrameEncoder.frame(payload.span.bytes, opcode: .binary)
        #expect(Array(message.bytes) == frame)
        #expect(message.payload.count == count)
    }
}
