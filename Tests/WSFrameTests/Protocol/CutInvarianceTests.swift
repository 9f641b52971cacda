import NetPollTesting
import Testing
import WSFrame

@Suite("Events do not depend on how the bytes are cut")
struct CutInvarianceTests {
    @Test(arguments: 1...160)
    func `a fixed stream in pieces of every size`(pieceBytes: Int) {
        let stream = Self.sample
        #expect(events(of: stream, pieceBytes: pieceBytes) == events(of: stream))
    }

    @Test(arguments: 0..<300 as Range<UInt64>, [Role.server, .client])
    func `a valid stream, at random`(seed: UInt64, role: Role) {
        var generator = SeededGenerator(seed: seed)
        let stream = RandomStream.valid(for: role, using: &generator)
        let whole = events(of: stream, role: role)
        let reference = ReferenceDecoder.events(of: stream, role: role)
        #expect(whole == reference, "seed \(seed)")
        #expect(events(of: stream, cutBy: &generator, role: role) == whole, "seed \(seed)")
        #expect(events(of: stream, pieceBytes: 1, role: role) == whole, "seed \(seed)")
    }

    @Test(arguments: 0..<500 as Range<UInt64>, [Role.server, .client])
    func `a damaged stream, at random`(seed: UInt64, role: Role) {
        var generator = SeededGenerator(seed: seed)
        let stream = RandomStream.damaged(for: role, using: &generator)
        let whole = events(of: stream, role: role)
        let reference = ReferenceDecoder.events(of: stream, role: role)
        #expect(whole == reference, "seed \(seed)")
        #expect(events(of: stream, cutBy: &generator, role: role) == whole, "seed \(seed)")
        #expect(events(of: stream, pieceBytes: 1, role: role) == whole, "seed \(seed)")
    }

    @Test(arguments: 0..<300 as Range<UInt64>, [Role.server, .client])
    func `noise ends in the same violation`(seed: UInt64, role: Role) {
        var generator = SeededGenerator(seed: seed)
        let stream = (0..<Int.random(in: 0...400, using: &generator)).map { _ in
            UInt8.random(in: 0...255, using: &generator)
        }
        let whole = events(of: stream, role: role)
        let reference = ReferenceDecoder.events(of: stream, role: role)
        #expect(whole == reference, "seed \(seed)")
        #expect(events(of: stream, cutBy: &generator, role: role) == whole, "seed \(seed)")
    }

    /// One of everything that is valid.
    private static var sample: [UInt8] {
        var bytes = ClientFrames.text("Hello") + ClientFrames.frame(.binary, [])
        bytes += ClientFrames.frame(.ping, [1, 2, 3])
        bytes += ClientFrames.text("añ語🙂 in two ", isFinal: false)
        bytes += ClientFrames.frame(.ping, [UInt8](repeating: 9, count: 125))
        bytes += ClientFrames.frame(.continuation, Array("frames 🙃".utf8))
        bytes += ClientFrames.frame(.binary, [UInt8](repeating: 0xEE, count: 3000))
        bytes += ClientFrames.frame(.pong)
        return bytes + ClientFrames.close(1000, reason: Array("end é".utf8))
    }
}

/// Streams of frames as the peer of a role might send them.
enum RandomStream {
    static func valid(
        for role: Role = .server,
        using generator: inout SeededGenerator
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            bytes += message(for: role, using: &generator)
        }
        if Bool.random(using: &generator) {
            let close: [UInt8] = [0x03, 0xE8] + "bye".utf8
            bytes += ClientFrames.frame(.close, close, key: key(for: role, using: &generator))
            bytes += [0xFF, 1, 2]
        }
        return bytes
    }

    /// A valid stream in which one to three bytes are changed, lost or doubled.
    static func damaged(
        for role: Role = .server,
        using generator: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = valid(for: role, using: &generator)
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let index = Int.random(in: bytes.indices, using: &generator)
            switch Int.random(in: 0...3, using: &generator) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            case 2: bytes.insert(bytes[index], at: index)
            default: if bytes.count > 1 { bytes.remove(at: index) }
            }
        }
        return bytes
    }

    private static func message(
        for role: Role,
        using generator: inout SeededGenerator
    ) -> [UInt8] {
        let isText = Bool.random(using: &generator)
        let payload = isText ? text(using: &generator) : binary(using: &generator)
        let frames = [1, 1, 1, 2, 5].randomElement(using: &generator) ?? 1
        var cuts = (1..<frames).map { _ in Int.random(in: 0...payload.count, using: &generator) }
        cuts = [0] + cuts.sorted() + [payload.count]
        var bytes: [UInt8] = []
        for index in 0..<frames {
            bytes += ClientFrames.frame(
                index > 0 ? .continuation : isText ? .text : .binary,
                Array(payload[cuts[index]..<cuts[index + 1]]),
                isFinal: index == frames - 1,
                key: key(for: role, using: &generator)
            )
            if Int.random(in: 0..<4, using: &generator) == 0 {
                let count = [0, 4, 125].randomElement(using: &generator) ?? 0
                let control = [Opcode.ping, .pong].randomElement(using: &generator) ?? .ping
                bytes += ClientFrames.frame(
                    control, [UInt8](repeating: 7, count: count),
                    key: key(for: role, using: &generator))
            }
        }
        return bytes
    }

    private static func key(
        for role: Role,
        using generator: inout SeededGenerator
    ) -> MaskingKey? {
        guard role == .server else { return nil }
        let bits = generator.next()
        return MaskingKey(
            UInt8(bits & 0xFF), UInt8(bits >> 8 & 0xFF), UInt8(bits >> 16 & 0xFF),
            UInt8(bits >> 24 & 0xFF))
    }

    private static func text(using generator: inout SeededGenerator) -> [UInt8] {
        let pieces = ["plain words ", "é", "語", "🙂", "a"]
        let count = [0, 1, 10, 60].randomElement(using: &generator) ?? 0
        return (0..<count).flatMap { _ in
            Array((pieces.randomElement(using: &generator) ?? "").utf8)
        }
    }

    private static func binary(using generator: inout SeededGenerator) -> [UInt8] {
        let count = [0, 1, 7, 125, 126, 500, 3000].randomElement(using: &generator) ?? 0
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}
