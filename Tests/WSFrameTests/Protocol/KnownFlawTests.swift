import Testing
import WSFrame

/// The classes of flaw that other codecs had, each with what happens here.
@Suite("Flaws known from other codecs: frames")
struct KnownFrameFlawTests {
    @Test(
        arguments: [
            (1 << 63, .protocolError), (.max, .protocolError),
            ((1 << 63) - 1, .messageTooBig), ((1 << 63) - 3, .messageTooBig), ((1 << 63) - 4, nil),
        ] as [(UInt64, CloseCode?)])
    func `a 64-bit length overflows no sum (CVE-2020-27813, CVE-2026-1528)`(
        length: UInt64, code: CloseCode?
    ) {
        let limits = ProtocolLimits(framePayloadBytesMax: .max, messageBytesMax: .max)
        let begun = ClientFrames.frame(.binary, [1, 2, 3], isFinal: false)
        let header = ClientFrames.header(first: 0x80, length: length, lengthBytes: 8)
        let bytes = begun + header + [0, 0, 0, 0, 9, 9]
        #expect(violation(in: bytes, limits: limits)?.closeCode == code)
    }

    @Test func `lengths that add up over fragments end in 1009 (CVE-2020-27813)`() throws {
        let limits = ProtocolLimits(messageBytesMax: 1000)
        let frame = [UInt8](repeating: 0, count: 400)
        let bytes =
            ClientFrames.frame(.binary, frame, isFinal: false)
            + ClientFrames.frame(.continuation, frame, isFinal: false)
            + ClientFrames.frame(.continuation, frame, isFinal: false)
        #expect(violation(in: bytes, limits: limits)?.closeCode == .messageTooBig)
    }

    @Test(arguments: 1...14)
    func `a bad length makes no endless loop (CVE-2020-13935, CVE-2025-5399)`(pieceBytes: Int) {
        let header = ClientFrames.header(first: 0x82, length: .max, lengthBytes: 8)
        let bytes = header + [UInt8](repeating: 0, count: 100)
        #expect(events(of: bytes, pieceBytes: pieceBytes) == [.violation(.lengthOverflow)])
    }

    @Test func `empty continuation frames without end are stopped (CVE-2026-48779)`() throws {
        let observer = Observer()
        observer.receive(ClientFrames.frame(.text, isFinal: false))
        let empty = ClientFrames.frame(.continuation, isFinal: false)
        for _ in 0..<1023 { #expect(observer.receive(empty).isEmpty) }
        #expect(observer.receive(empty) == [.violation(.excessiveFragments(max: 1024))])
    }

    @Test func `tiny fragments without end are stopped (CVE-2026-12151)`() throws {
        let tiny = ClientFrames.frame(.continuation, [0x61], isFinal: false)
        let bytes = ClientFrames.text("a", isFinal: false) + (0..<2000).flatMap { _ in tiny }
        #expect(violation(in: bytes)?.closeCode == .policyViolation)
    }

    @Test func `a limit on frames alone does not let a message grow`() {
        let limits = ProtocolLimits(
            framePayloadBytesMax: 125, messageBytesMax: 1000, fragmentsMax: .max)
        let full = [UInt8](repeating: 1, count: 125)
        let bytes =
            ClientFrames.frame(.binary, full, isFinal: false)
            + (0..<8).flatMap { _ in ClientFrames.frame(.continuation, full, isFinal: false) }
        #expect(violation(in: bytes, limits: limits)?.closeCode == .messageTooBig)
    }

    @Test func `an announced length allocates nothing (CVE-2022-35922)`() {
        // A thousand connections announce 512 TiB each; that many allocations would end the
        // process.
        let limits = ProtocolLimits(framePayloadBytesMax: 1 << 50, messageBytesMax: 1 << 50)
        let header = ClientFrames.header(first: 0x82, length: 1 << 49, lengthBytes: 8)
        let observers = (0..<1000).map { _ in Observer(limits: limits) }
        for observer in observers {
            #expect(observer.receive(header + [0, 0, 0, 0, 1, 2, 3]).isEmpty)
        }
    }

    @Test func `pings and pongs without end in one input are stopped (CVE-2021-3690)`() {
        for opcode in [Opcode.ping, .pong] {
            let bytes = (0..<2000).flatMap { _ in ClientFrames.frame(opcode, [1]) }
            let observed = events(of: bytes)
            #expect(observed.count == 1025)
            #expect(observed.last == .violation(.excessiveControlFrames(max: 1024)))
        }
    }

    @Test(arguments: [0x80, 0x8A, 0x89] as [UInt8])
    func `RSV1 on a control frame is refused`(first: UInt8) {
        #expect(violation(in: [first | 0x40, 0x80, 0, 0, 0, 0])?.closeCode == .protocolError)
    }

    @Test(arguments: 0...125)
    func `a control payload holds only what was received (CVE-2026-45736)`(count: Int) {
        let payload = [UInt8](repeating: 0xAB, count: count)
        let frame = ClientFrames.frame(.ping, payload)
        #expect(events(of: frame, pieceBytes: 7) == [.ping(payload)])
        let reason = [UInt8](repeating: 0x62, count: max(0, count - 2))
        let close = ClientFrames.close(1000, reason: reason)
        #expect(events(of: close, pieceBytes: 7) == [.close(.normal, reason, .echo)])
    }

    @Test func `every frame is unmasked with its own key (CVE-2025-10148)`() {
        let bytes =
            ClientFrames.frame(.text, Array("one".utf8), key: MaskingKey(1, 2, 3, 4))
            + ClientFrames.frame(.text, Array("two".utf8), key: MaskingKey(5, 6, 7, 8))
        #expect(events(of: bytes) == [.text("one"), .text("two")])
    }
}
