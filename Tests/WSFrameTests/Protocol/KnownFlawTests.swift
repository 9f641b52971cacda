import Testing
import WSFrame

/// The classes of flaw that other codecs had, each with what happens here.
@Suite("Flaws known from other codecs: frames", .timeLimit(.minutes(5)))
struct KnownFrameFlawTests {
    @Test(
        arguments: [
            (1 << 63, .protocolError), (.max, .protocolError),
            ((1 << 63) - 1, .messageTooBig), ((1 << 63) - 3, .messageTooBig), ((1 << 63) - 4, nil),
        ] as [(UInt64, CloseCode?)], Role.both)
    func `a 64-bit length overflows no sum (CVE-2020-27813, CVE-2026-1528)`(
        announced: (length: UInt64, code: CloseCode?), role: Role
    ) {
        let limits = ProtocolLimits(framePayloadBytesMax: .max, messageBytesMax: .max)
        let frames = PeerFrames(of: role)
        let begun = frames.frame(.binary, [1, 2, 3], isFinal: false)
        let header = frames.header(first: 0x80, length: announced.length, lengthBytes: 8)
        let bytes = begun + header + [9, 9]
        #expect(violation(in: bytes, role: role, limits: limits)?.closeCode == announced.code)
    }

    @Test(arguments: Role.both)
    func `lengths that add up over fragments end in 1009 (CVE-2020-27813)`(role: Role) throws {
        let frames = PeerFrames(of: role)
        let limits = ProtocolLimits(messageBytesMax: 1000)
        let frame = [UInt8](repeating: 0, count: 400)
        let bytes =
            frames.frame(.binary, frame, isFinal: false)
            + frames.frame(.continuation, frame, isFinal: false)
            + frames.frame(.continuation, frame, isFinal: false)
        #expect(violation(in: bytes, role: role, limits: limits)?.closeCode == .messageTooBig)
    }

    @Test(arguments: 1...14, Role.both)
    func `a bad length makes no endless loop (CVE-2020-13935, CVE-2025-5399)`(
        pieceBytes: Int, role: Role
    ) {
        let header = PeerFrames(of: role).header(first: 0x82, length: .max, lengthBytes: 8)
        let bytes = header + [UInt8](repeating: 0, count: 100)
        let observed = events(of: bytes, pieceBytes: pieceBytes, role: role)
        #expect(observed == [.violation(.lengthOverflow)])
    }

    @Test(arguments: Role.both)
    func `empty continuation frames without end are stopped (CVE-2026-48779)`(role: Role) throws {
        let frames = PeerFrames(of: role)
        let observer = Observer(role: role)
        observer.receive(frames.frame(.text, isFinal: false))
        let empty = frames.frame(.continuation, isFinal: false)
        for _ in 0..<1023 { #expect(observer.receive(empty).isEmpty) }
        #expect(observer.receive(empty) == [.violation(.excessiveFragments(max: 1024))])
    }

    @Test(arguments: Role.both)
    func `tiny fragments without end are stopped (CVE-2026-12151)`(role: Role) throws {
        let frames = PeerFrames(of: role)
        let tiny = frames.frame(.continuation, [0x61], isFinal: false)
        let bytes = frames.text("a", isFinal: false) + (0..<2000).flatMap { _ in tiny }
        #expect(violation(in: bytes, role: role)?.closeCode == .policyViolation)
    }

    @Test(arguments: Role.both)
    func `a limit on frames alone does not let a message grow`(role: Role) {
        let frames = PeerFrames(of: role)
        let limits = ProtocolLimits(
            framePayloadBytesMax: 125, messageBytesMax: 1000, fragmentsMax: .max)
        let full = [UInt8](repeating: 1, count: 125)
        let bytes =
            frames.frame(.binary, full, isFinal: false)
            + (0..<8).flatMap { _ in frames.frame(.continuation, full, isFinal: false) }
        #expect(violation(in: bytes, role: role, limits: limits)?.closeCode == .messageTooBig)
    }

    @Test(arguments: Role.both)
    func `an announced length allocates nothing (CVE-2022-35922)`(role: Role) {
        // A thousand connections announce 512 TiB each; that many allocations would end the
        // process.
        let limits = ProtocolLimits(framePayloadBytesMax: 1 << 50, messageBytesMax: 1 << 50)
        let header = PeerFrames(of: role).header(first: 0x82, length: 1 << 49, lengthBytes: 8)
        let observers = (0..<1000).map { _ in Observer(role: role, limits: limits) }
        for observer in observers {
            #expect(observer.receive(header + [1, 2, 3]).isEmpty)
        }
    }

    @Test(arguments: Role.both)
    func `pings and pongs without end in one input are stopped (CVE-2021-3690)`(role: Role) {
        for opcode in [Opcode.ping, .pong] {
            let bytes = (0..<2000).flatMap { _ in PeerFrames(of: role).frame(opcode, [1]) }
            let observed = events(of: bytes, role: role)
            #expect(observed.count == 1025)
            #expect(observed.last == .violation(.excessiveControlFrames(max: 1024)))
        }
    }

    @Test(arguments: [0x88, 0x8A, 0x89] as [UInt8], Role.both)
    func `RSV1 on a control frame is refused`(first: UInt8, role: Role) {
        let header = PeerFrames(of: role).header(first: first | 0x40, length: 0, lengthBytes: 1)
        #expect(violation(in: header, role: role)?.closeCode == .protocolError)
    }

    @Test(arguments: 0...125, Role.both)
    func `a control payload holds only what was received (CVE-2026-45736)`(
        count: Int, role: Role
    ) {
        let payload = [UInt8](repeating: 0xAB, count: count)
        let frame = PeerFrames(of: role).frame(.ping, payload)
        #expect(events(of: frame, pieceBytes: 7, role: role) == [.ping(payload)])
        let reason = [UInt8](repeating: 0x62, count: max(0, count - 2))
        let close = PeerFrames(of: role).close(1000, reason: reason)
        let closed: [Observed] = [.close(.normal, reason, .echo)]
        #expect(events(of: close, pieceBytes: 7, role: role) == closed)
    }

    @Test func `every frame is unmasked with its own key (CVE-2025-10148)`() {
        let bytes =
            ClientFrames.frame(.text, Array("one".utf8), key: MaskingKey(1, 2, 3, 4))
            + ClientFrames.frame(.text, Array("two".utf8), key: MaskingKey(5, 6, 7, 8))
        #expect(events(of: bytes) == [.text("one"), .text("two")])
    }
}
