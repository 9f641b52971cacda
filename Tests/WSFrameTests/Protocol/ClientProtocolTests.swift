import Testing
import WSFrame

@Suite("ClientProtocol")
struct ClientProtocolTests {
    /// A server's frame, as wrong as a test wants it.
    private static func frame(
        _ opcode: Opcode,
        _ payload: [UInt8] = [],
        isFinal: Bool = true
    ) -> [UInt8] {
        ClientFrames.frame(opcode, payload, isFinal: isFinal, key: nil)
    }

    @Test func `its state takes at most 48 bytes`() {
        #expect(MemoryLayout<ClientProtocol>.size <= 48)
    }

    @Test(arguments: [Opcode.text, .binary, .continuation, .ping, .pong, .close])
    func `a masked frame of a server fails with 1002 (RFC 6455 §5.1)`(opcode: Opcode) throws {
        let error = try #require(violation(in: ClientFrames.frame(opcode), role: .client))
        #expect(error == ProtocolViolation(.maskedFrame))
        #expect(error.closeCode == .protocolError)
    }

    @Test(arguments: [0, 1, 2, 125, 126, 65535, 65536, 200_000])
    func `a whole message stays where it lies`(count: Int) {
        let observer = Observer(role: .client)
        let payload = [UInt8](repeating: 0x80, count: count)
        observer.receive(Self.frame(.binary, payload))
        #expect(observer.observed == [.message(.binary, payload)])
        #expect(observer.inPlace == 1 && observer.kept == 0)
    }

    @Test(
        arguments: [
            ([0xC1, 0], .reservedBits), ([0xA1, 0], .reservedBits), ([0x91, 0], .reservedBits),
            ([0x83, 0], .reservedOpcode(Opcode(rawValue: 3))),
            ([0x8B, 0], .reservedOpcode(Opcode(rawValue: 0xB))),
            ([0x09, 0], .fragmentedControlFrame), ([0x89, 126], .oversizedControlFrame),
            ([0x82, 126, 0, 125], .nonMinimalLength),
            ([0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], .nonMinimalLength),
            ([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], .lengthOverflow),
            ([0x80, 0], .unexpectedContinuation), ([0x01, 0, 0x81, 0], .unfinishedMessage),
            ([0x88, 1, 3], .truncatedCloseCode),
            ([0x88, 2, 3, 0xED], .invalidCloseCode(CloseCode(rawValue: 1005))),
            ([0x88, 3, 3, 0xE8, 0xFF], .invalidCloseReason),
            ([0x81, 1, 0x80], .invalidText), ([0x81, 4, 0x61, 0x62, 0xE8, 0xAA], .invalidText),
        ] as [([UInt8], ProtocolViolation.Reason)])
    func `a server must keep the same rules (RFC 6455 §5, §7.4, §8.1)`(
        bytes: [UInt8],
        reason: ProtocolViolation.Reason
    ) {
        #expect(violation(in: bytes, role: .client) == ProtocolViolation(reason))
        #expect(events(of: bytes, pieceBytes: 1, role: .client).last == .violation(reason))
    }

    @Test func `text that goes wrong inside a frame fails before its end (RFC 6455 §8.1)`() {
        let whole = Self.frame(.text, [UInt8](repeating: 0x61, count: 500) + [0xFF, 0x61, 0x61])
        let observer = Observer(role: .client)
        #expect(observer.receive(Array(whole[..<400])).isEmpty)
        #expect(observer.receive(Array(whole[400..<505])) == [.violation(.invalidText)])
    }

    @Test func `control frames may come between fragments (RFC 6455 §5.4)`() {
        let bytes =
            Self.frame(.text, Array("Hel".utf8), isFinal: false) + Self.frame(.ping, [1])
            + Self.frame(.continuation, Array("lo".utf8))
        #expect(events(of: bytes, role: .client) == [.ping([1]), .text("Hello")])
    }

    @Test func `a server's close frame is echoed, and ends all (RFC 6455 §5.5.1)`() {
        var state = ClientProtocol(configuration: ProtocolConfiguration())
        var bytes = Self.frame(.close, [3, 0xE9]) + Self.frame(.text, [0x61])
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        var cursor = 0
        let event = try? state.next(in: &raw, at: &cursor)
        guard case .close(let close) = event else {
            Issue.record("\(String(describing: event)) is no close")
            return
        }
        #expect(close.code == .goingAway && close.action == .echo)
        let (maySend, isClosed) = (state.maySend, state.isClosed)
        #expect(!maySend && isClosed)
        let next = try? state.next(in: &raw, at: &cursor)
        #expect(next == nil && cursor == raw.byteCount)
    }

    @Test func `a close frame of a client is masked (RFC 6455 §5.1, §5.5.1)`() {
        let key = MaskingKey(1, 2, 3, 4)
        let frame = FrameEncoder.closeFrame(.normal, reason: "end", maskingKey: key)
        #expect(Array(frame[..<6]) == [0x88, 0x85, 1, 2, 3, 4])
        #expect(events(of: frame) == [.close(.normal, Array("end".utf8), .echo)])
        let empty = FrameEncoder.closeFrame(nil, maskingKey: key)
        #expect(events(of: empty) == [.close(nil, [], .echo)])
    }

    @Test func `the longest control frame fits its bound`() {
        let reason = String(repeating: "r", count: 200)
        let frame = FrameEncoder.closeFrame(
            .normal, reason: reason, maskingKey: MaskingKey(1, 2, 3, 4))
        #expect(frame.count == FrameEncoder.controlFrameBytesMax)
    }
}
