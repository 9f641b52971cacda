import Testing
import WSFrame

@Suite("FrameDecoder, RFC 6455 §5.1 and §5.2")
struct FrameDecoderTests {
    @Test(arguments: [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] as [UInt8])
    func `a reserved opcode fails with 1002`(opcode: UInt8) throws {
        let error = try #require(violation(in: [0x80 | opcode, 0x80, 0, 0, 0, 0]))
        #expect(error.reason == .reservedOpcode(Opcode(rawValue: opcode)))
        #expect(error.closeCode == .protocolError)
    }

    @Test(arguments: [0x10, 0x20, 0x40, 0x30, 0x70] as [UInt8])
    func `a reserved bit without an extension fails with 1002`(bits: UInt8) throws {
        let error = try #require(violation(in: [0x81 | bits, 0x80, 0, 0, 0, 0]))
        #expect(error.reason == .reservedBits)
        #expect(error.closeCode == .protocolError)
    }

    @Test func `the first byte alone is enough to fail`() {
        #expect(events(of: [0x83]) == [.violation(.reservedOpcode(Opcode(rawValue: 3)))])
        #expect(events(of: [0x81, 0x00]) == [.violation(.unmaskedFrame)])
    }

    @Test(arguments: [.continuation, .text, .binary, .close, .ping, .pong] as [Opcode])
    func `an unmasked frame of a client fails with 1002`(opcode: Opcode) throws {
        let error = try #require(violation(in: [0x80 | opcode.rawValue, 0x00]))
        #expect(error.reason == .unmaskedFrame)
        #expect(error.closeCode == .protocolError)
    }

    @Test func `a masked frame of a server fails with 1002`() throws {
        var decoder = FrameDecoder(role: .client)
        var cursor = 0
        let bytes = ClientFrames.text("hi")
        let error = #expect(throws: ProtocolViolation.self) {
            _ = try decoder.next(in: bytes.span.bytes, at: &cursor, limits: ProtocolLimits())
        }
        #expect(error?.reason == .maskedFrame)
    }

    @Test(
        arguments: [
            (0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8),
        ] as [(UInt64, Int)])
    func `a length in more bytes than it needs fails with 1002`(
        length: UInt64, lengthBytes: Int
    ) throws {
        let header = ClientFrames.header(first: 0x82, length: length, lengthBytes: lengthBytes)
        let error = try #require(violation(in: header + [0, 0, 0, 0]))
        #expect(error.reason == .nonMinimalLength)
        #expect(error.closeCode == .protocolError)
    }

    @Test(arguments: [1 << 63, .max, 1 << 63 | 5] as [UInt64])
    func `a length with its top bit set fails with 1002`(length: UInt64) throws {
        let header = ClientFrames.header(first: 0x82, length: length, lengthBytes: 8)
        let error = try #require(violation(in: header))
        #expect(error.reason == .lengthOverflow)
        #expect(error.closeCode == .protocolError)
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65535, 65536, 1 << 20])
    func `every length form is read`(length: Int) {
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        #expect(events(of: ClientFrames.frame(.binary, payload)) == [.message(.binary, payload)])
    }

    @Test func `the frames of RFC 6455 §5_7 are read`() {
        let masked: [UInt8] = [
            0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
        ]
        #expect(events(of: masked) == [.text("Hello")])
    }

    @Test(arguments: 1...20)
    func `a header cut anywhere is kept by the decoder`(pieceBytes: Int) throws {
        let payload = [UInt8](repeating: 7, count: 65536)
        let bytes = ClientFrames.frame(.binary, payload)
        var decoder = FrameDecoder(role: .server)
        var headers: [FrameHeader] = []
        var payloadBytes = 0
        var lasts = 0
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            let piece = Array(bytes[start..<min(start + pieceBytes, bytes.count)])
            var cursor = 0
            while let event = try decoder.next(
                in: piece.span.bytes, at: &cursor, limits: ProtocolLimits())
            {
                switch event {
                case .header(let header): headers.append(header)
                case .payload(let range, let key, let isLast):
                    #expect(key == ClientFrames.key.advanced(by: payloadBytes))
                    payloadBytes += range.count
                    lasts += isLast ? 1 : 0
                }
            }
            #expect(cursor == piece.count)
        }
        let header = FrameHeader(
            opcode: .binary, payloadBytes: 65536, maskingKey: ClientFrames.key)
        #expect(headers == [header])
        #expect(payloadBytes == 65536)
        #expect(lasts == 1)
    }

    @Test func `a cursor outside the input traps`() async {
        await #expect(processExitsWith: .failure) {
            var decoder = FrameDecoder(role: .server)
            var cursor = 1
            _ = try? decoder.next(in: [UInt8]().span.bytes, at: &cursor, limits: ProtocolLimits())
        }
    }
}
