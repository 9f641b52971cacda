import Testing
import WSFrame

@Suite("Compressed messages, RFC 7692 §7.2")
struct DeflateVectorTests {
    static let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]

    @Test func `one compressed block (§7.2.3.1)`() {
        let pair = DeflatePair()
        #expect(pair.receive(compressed: Self.hello) == [.text("Hello")])
        let unmasked = DeflatePair(receiving: .client)
        let bytes: [UInt8] = [0xC1, 0x07] + Self.hello
        #expect(unmasked.observer.receive(bytes) == [.text("Hello")])
    }

    @Test func `one compressed block in two frames (§7.2.3.1)`() {
        let pair = DeflatePair(receiving: .client)
        #expect(pair.observer.receive([0x41, 0x03, 0xF2, 0x48, 0xCD]).isEmpty)
        let end: [UInt8] = [0x80, 0x04, 0xC9, 0xC9, 0x07, 0x00]
        #expect(pair.observer.receive(end) == [.text("Hello")])
    }

    @Test func `the window is shared by messages (§7.2.3.2)`() {
        let pair = DeflatePair()
        #expect(pair.receive(compressed: Self.hello) == [.text("Hello")])
        let again: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00]
        #expect(pair.receive(compressed: again) == [.text("Hello")])
    }

    @Test func `without takeover the window is empty for each message (§7.2.3.2)`() {
        let agreed = PerMessageDeflate(serverNoContextTakeover: true, clientNoContextTakeover: true)
        let pair = DeflatePair(agreed: agreed)
        #expect(pair.receive(compressed: Self.hello) == [.text("Hello")])
        let again: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00]
        #expect(pair.receive(compressed: again) == [.violation(.invalidCompression)])
    }

    @Test func `a block without compression (§7.2.3.3)`() {
        let stored: [UInt8] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]
        #expect(DeflatePair().receive(compressed: stored) == [.text("Hello")])
    }

    @Test func `a block with BFINAL set (§7.2.3.4)`() {
        let final: [UInt8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]
        let pair = DeflatePair()
        #expect(pair.receive(compressed: final) == [.text("Hello")])
        // The window outlives it.
        let again: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00]
        #expect(pair.receive(compressed: again) == [.text("Hello")])
        #expect(pair.receive(compressed: final) == [.text("Hello")])
        #expect(pair.receive(compressed: Array(final.dropLast())) == [.text("Hello")])
        #expect(pair.receive(compressed: again) == [.text("Hello")])
    }

    @Test func `two blocks in one message (§7.2.3.5)`() {
        let two: [UInt8] = [
            0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00,
        ]
        #expect(DeflatePair().receive(compressed: two) == [.text("Hello")])
    }

    @Test func `an empty message (§7.2.3.6)`() {
        let pair = DeflatePair()
        #expect(pair.receive(compressed: [0x00]) == [.text("")])
        #expect(pair.receive(compressed: []) == [.text("")])
        #expect(pair.receive(compressed: Self.hello) == [.text("Hello")])
        #expect(pair.receive(compressed: [0x00], .binary) == [.message(.binary, [])])
    }

    @Test func `what is sent ends without the empty block (§7.2.1)`() throws {
        let pair = DeflatePair(agreed: PerMessageDeflate(clientNoContextTakeover: true))
        let message = [UInt8](repeating: 0x41, count: 100)
        let (bytes, isCompressed) = pair.payload(message)
        #expect(isCompressed)
        #expect(!bytes.suffix(4).elementsEqual([0x00, 0x00, 0xFF, 0xFF]))
        #expect(bytes.last == 0)
        #expect(bytes.count < 10)
        let frame = pair.frame(message)
        #expect(frame.first == 0xC2)
        #expect(pair.observer.receive(frame) == [.message(.binary, message)])
    }

    @Test func `short compressed frames carry RSV1, and nothing else does`() {
        let header = FrameHeader(isCompressed: true, opcode: .text, payloadBytes: 3)
        #expect(ClientFrames.encoded(header) == [0xC1, 3])
        let payload: [UInt8] = [1, 2, 3]
        let frame = FrameEncoder.frame(payload.span.bytes, opcode: .binary, isCompressed: true)
        #expect(frame == [0xC2, 3, 1, 2, 3])
        #expect(FrameEncoder.frame(payload.span.bytes, opcode: .binary) == [0x82, 3, 1, 2, 3])
    }

    @Test(arguments: [Role.server, .client])
    func `RSV1 is for first frames of messages only (§6.1)`(role: Role) {
        for first in [0xC0, 0x40, 0xC8, 0xC9, 0xCA, 0xC3, 0xCB, 0xE1, 0xD1, 0xA1] as [UInt8] {
            let pair = DeflatePair(receiving: role)
            let mask: UInt8 = role == .server ? 0x80 : 0
            let begun = ClientFrames.frame(
                .text, [0xF2], isFinal: false, isCompressed: true, key: pair.key)
            if first & 0xF == 0 { #expect(pair.observer.receive(begun).isEmpty) }
            let observed = pair.observer.receive([first, mask, 0, 0, 0, 0])
            #expect(observed == [.violation(.reservedBits)], "first byte \(first)")
        }
    }

    @Test func `the decoder alone knows RSV1 where it is told of an agreement`() throws {
        let frame = ClientFrames.frame(.text, Self.hello, isCompressed: true)
        var decoder = FrameDecoder(role: .server)
        var cursor = 0
        let event = try decoder.next(
            in: frame.span.bytes, at: &cursor, limits: ProtocolLimits(),
            compression: PerMessageDeflate())
        guard case .header(let header) = event else {
            Issue.record("no header")
            return
        }
        #expect(header.isCompressed && header.isFinal && header.payloadBytes == 7)
    }

    @Test func `what is agreed on says it for each role`() {
        let agreed = PerMessageDeflate(
            serverNoContextTakeover: true, serverWindowBits: 9, clientWindowBits: 10)
        #expect(agreed.noContextTakeover(of: .server) && !agreed.noContextTakeover(of: .client))
        #expect(agreed.windowBits(of: .server) == 9 && agreed.windowBits(of: .client) == 10)
        #expect(PerMessageDeflate.windowBitsRange == 8...15)
        #expect(Role.server.peer == .client && Role.client.peer == .server)
    }

    @Test(arguments: [Role.server, .client])
    func `RSV1 without an agreement fails with 1002 (§6)`(role: Role) {
        let key = role == .server ? ClientFrames.key : nil
        let frame = ClientFrames.frame(.text, Self.hello, isCompressed: true, key: key)
        let error = violation(in: frame, role: role)
        #expect(error?.reason == .reservedBits)
        #expect(error?.closeCode == .protocolError)
    }

    @Test func `messages with and without compression may alternate`() {
        let pair = DeflatePair()
        var bytes = ClientFrames.frame(.text, Self.hello, isCompressed: true)
        bytes += ClientFrames.text("plain") + ClientFrames.frame(.ping, [1])
        bytes += ClientFrames.frame(.text, [0xF2, 0x00, 0x11, 0x00, 0x00], isCompressed: true)
        let expected: [Observed] = [.text("Hello"), .text("plain"), .ping([1]), .text("Hello")]
        #expect(pair.observer.receive(bytes) == expected)
    }

    @Test func `control frames may come between compressed fragments`() {
        let pair = DeflatePair()
        let frames = DeflatePair.frames(Self.hello, .text, cuts: [2, 2, 5])
        var bytes: [UInt8] = []
        for frame in frames { bytes += frame + ClientFrames.frame(.ping, [7]) }
        let expected: [Observed] = [.ping([7]), .ping([7]), .ping([7]), .text("Hello"), .ping([7])]
        #expect(pair.observer.receive(bytes) == expected)
    }

    @Test(
        arguments: [
            [0xF2, 0x48, 0xCD], [0xFF], [0x05], [0x06, 0x00], [0x00, 0x05, 0x00, 0x00, 0x00],
            [0xF2, 0x48, 0xCD, 0xC9, 0xC9],
        ] as [[UInt8]])
    func `what is no whole DEFLATE data fails with 1007`(payload: [UInt8]) {
        let pair = DeflatePair()
        #expect(pair.receive(compressed: payload) == [.violation(.invalidCompression)])
        #expect(ProtocolViolation(.invalidCompression).closeCode == .invalidPayload)
    }

    @Test func `inflated text is UTF-8, from its first bad byte on`() {
        let pair = DeflatePair()
        let (bytes, _) = pair.payload(
            [0x61, 0x62, 0xFF] + [UInt8](repeating: 0x63, count: 200_000))
        #expect(pair.receive(compressed: bytes) == [.violation(.invalidText)])
        let cut = DeflatePair()
        let (open, _) = cut.payload([UInt8](repeating: 0x61, count: 50) + [0xE2, 0x82])
        #expect(cut.receive(compressed: open) == [.violation(.invalidText)])
        let early = DeflatePair()
        var noise: [UInt8] = [0x61, 0xFF]
        noise += (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* $0 &+ $0 >> 3) }
        let (long, _) = early.payload(noise)
        let frame = ClientFrames.frame(.text, long, isCompressed: true)
        let first = early.observer.receive(Array(frame.prefix(frame.count / 2)))
        #expect(first == [.violation(.invalidText)], "in the middle of the frame")
    }
}
