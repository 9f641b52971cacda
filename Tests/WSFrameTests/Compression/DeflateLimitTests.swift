import Testing
import WSFrame

@Suite("Limits of compressed messages")
struct DeflateLimitTests {
    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    /// Each end, reading messages whole and in pieces.
    private static let receivers: [(role: Role, delivery: ProtocolConfiguration.Delivery)] =
        Role.both.flatMap { [($0, .whole), ($0, .pieces)] }

    @Test(arguments: [1, 2, 257, 4_096, 70_000], receivers)
    func `a message inflates to messageBytesMax and not a byte more (CVE-2026-1526)`(
        most: Int, receiver: (role: Role, delivery: ProtocolConfiguration.Delivery)
    ) {
        let limits = ProtocolLimits(messageBytesMax: most)
        for count in [most, most + 1, most * 3 + 5] {
            let pair = DeflatePair(
                receiving: receiver.role, limits: limits, delivery: receiver.delivery)
            var bytes: [UInt8] = []
            for frame in pair.frames(Self.zeros(count), cuts: [1, 2]) { bytes += frame }
            let last = pair.observer.receive(bytes).last
            let tooBig = Observed.violation(
                .oversizedMessage(bytes: UInt64(most) + 1, max: most))
            #expect((last == tooBig) == (count > most), "\(count) bytes")
        }
    }

    @Test(arguments: Role.both)
    func `a bomb costs its limit and not its size (CVE-2018-1000518)`(role: Role) {
        // 64 MiB of zeros in 65 KiB, in fragments; and a second context in the same pool.
        var configuration = CompressionConfiguration.every
        configuration.level = 9
        let pair = DeflatePair(
            receiving: role, configuration: configuration,
            limits: ProtocolLimits(messageBytesMax: 100_000))
        let cuts = Array(stride(from: 50, to: 60_000, by: 50))
        let frames = pair.frames(Self.zeros(64 << 20), cuts: cuts)
        var observed: [Observed] = []
        var fed = 0
        for frame in frames where observed.isEmpty {
            observed = pair.observer.receive(frame)
            fed += 1
        }
        #expect(observed == [.violation(.oversizedMessage(bytes: 100_001, max: 100_000))])
        #expect(fed <= 4, "found in frame \(fed), not at the end")
        #expect(ProtocolViolation(.oversizedMessage(bytes: 1, max: 0)).closeCode == .messageTooBig)
    }

    @Test(arguments: Role.both)
    func `what follows a bomb is not looked at`(role: Role) {
        let pair = DeflatePair(receiving: role, limits: ProtocolLimits(messageBytesMax: 1_000))
        #expect(pair.observer.receive(pair.frame(Self.zeros(5_000))).count == 1)
        #expect(pair.observer.receive(pair.frame(Self.zeros(10))).isEmpty)
        #expect(pair.observer.closeRequested() == .send)
    }

    @Test(arguments: [(20, nil), (19, 19)] as [(Int, Int?)], Role.both)
    func `a message inflates to inflationRatioMax times its bytes and not more`(
        bound: (ratio: Int, refused: Int?), role: Role
    ) {
        let limits = ProtocolLimits(inflationRatioMax: bound.ratio)
        let pair = DeflatePair(receiving: role, limits: limits)
        let (probe, _) = pair.payload(Self.zeros(200))
        let message = Self.zeros(probe.count * 20)
        // As long as the probe, for it says the same of a match that is a little shorter or longer.
        let fresh = DeflatePair(receiving: role, limits: limits)
        let (bytes, _) = fresh.payload(message)
        #expect(bytes.count == probe.count)
        let expected: Observed =
            bound.refused.map { .violation(.excessiveInflation(max: $0)) }
            ?? .message(.binary, message)
        #expect(fresh.receive(compressed: bytes, .binary) == [expected])
        #expect(ProtocolViolation(.excessiveInflation(max: 1)).closeCode == .messageTooBig)
    }

    @Test(arguments: receivers)
    func `compressed bytes that say nothing are bounded by bookkeepingBytesMax`(
        role: Role, delivery: ProtocolConfiguration.Delivery
    ) {
        let empty: [UInt8] = [0x00, 0x00, 0x00, 0xFF, 0xFF]
        // 20 empty blocks and the last one's first byte, and the bytes of a header.
        let payload: [UInt8] = Array([[UInt8]](repeating: empty, count: 20).joined()) + [0x00]
        let needed = 101 + PeerFrames(of: role).headerBytes
        for (most, isAllowed) in [(needed, true), (needed - 1, false)] {
            let limits = ProtocolLimits(bookkeepingBytesMax: most)
            let pair = DeflatePair(receiving: role, limits: limits, delivery: delivery)
            let refused: [Observed] = [.violation(.excessiveBookkeeping(max: most))]
            let events = pair.receive(compressed: payload, .binary)
            #expect((events == refused) == !isAllowed, "\(most)")
        }
        #expect(ProtocolViolation(.excessiveBookkeeping(max: 1)).closeCode == .policyViolation)
    }

    @Test(arguments: Role.both)
    func `blocks with BFINAL without end cost little and are bounded`(role: Role) {
        let pair = DeflatePair(receiving: role)
        // Empty final blocks of two bytes, half a million of them.
        let payload = (0..<1 << 19).map { UInt8($0 % 2 == 0 ? 0x03 : 0x00) }
        let refused: [Observed] = [.violation(.excessiveBookkeeping(max: 256 << 10))]
        #expect(pair.receive(compressed: payload, .binary) == refused)
    }

    @Test(arguments: Role.both)
    func `headers of tiny frames are bounded by bookkeepingBytesMax`(role: Role) {
        let frames = PeerFrames(of: role)
        for isCompressed in [false, true] {
            let most = 10 * frames.headerBytes
            let pair = DeflatePair(
                receiving: role, limits: ProtocolLimits(bookkeepingBytesMax: most))
            // An empty stored block's first byte, or nothing, in ten empty frames, then one more.
            let begun = frames.frame(
                .binary, isCompressed ? [] : [1], isFinal: false, isCompressed: isCompressed)
            let empty = frames.frame(.continuation, isFinal: false)
            var observed = pair.observer.receive(begun)
            for _ in 0..<9 { observed += pair.observer.receive(empty) }
            #expect(observed.isEmpty)
            let refused: [Observed] = [.violation(.excessiveBookkeeping(max: most))]
            #expect(pair.observer.receive(empty) == refused)
        }
    }

    @Test(arguments: Role.both)
    func `fragments of compressed messages are counted (CVE-2026-12151)`(role: Role) {
        let pair = DeflatePair(receiving: role, limits: ProtocolLimits(fragmentsMax: 3))
        let frames = pair.frames([UInt8](repeating: 9, count: 200), cuts: [1, 2, 3])
        for frame in frames.dropLast() { #expect(pair.observer.receive(frame).isEmpty) }
        let refused: [Observed] = [.violation(.excessiveFragments(max: 3))]
        #expect(pair.observer.receive(frames[3]) == refused)
    }

    @Test(arguments: Role.both)
    func `a limit passed inside inflate ends the connection and nothing else`(role: Role) {
        // Every place where the room may run out, in a pool that serves on.
        let pool = DeflatePool()
        let message = (0..<2_000).map { UInt8(truncatingIfNeeded: $0 % 7 * ($0 / 90)) }
        let agreed = PerMessageDeflate(serverNoContextTakeover: true, clientNoContextTakeover: true)
        let sender = DeflateCodec(agreed, role: role.peer, configuration: .every, pool: pool)
        for most in stride(from: 1, through: 2_010, by: 13) {
            let bytes = sender.compressed(message.span.bytes).map { Array($0) } ?? []
            let receiver = DeflateCodec(agreed, role: role, configuration: .every, pool: pool)
            let observer = Observer(
                role: role, limits: ProtocolLimits(messageBytesMax: most), deflate: receiver)
            let observed = observer.receive(
                PeerFrames(of: role).frame(.binary, bytes, isCompressed: true))
            let expected: Observed =
                most >= 2_000
                ? .message(.binary, message)
                : .violation(.oversizedMessage(bytes: UInt64(most) + 1, max: most))
            #expect(observed == [expected])
        }
        #expect(pool.sharedStreams <= 3)
    }
}
