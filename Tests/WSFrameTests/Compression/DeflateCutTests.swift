import NetPollTesting
import Testing
import WSFrame

@Suite("Events of compressed streams do not depend on how the bytes are cut")
struct DeflateCutTests {
    /// What a sender of `role`'s peer may send, and what it means.
    private static func stream(
        _ pair: DeflatePair, using generator: inout SeededGenerator
    ) -> (bytes: [UInt8], expected: [Observed]) {
        var bytes: [UInt8] = []
        var expected: [Observed] = []
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let isText = Bool.random(using: &generator)
            let message = payload(isText: isText, using: &generator)
            let cuts = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                Int.random(in: 0...max(message.count, 1), using: &generator)
            }
            var isPingLast = false
            for frame in pair.frames(message, isText ? .text : .binary, cuts: cuts.sorted()) {
                bytes += frame
                isPingLast = false
                if Int.random(in: 0..<4, using: &generator) == 0 {
                    bytes += ClientFrames.frame(.ping, [5], key: pair.key)
                    expected.append(.ping([5]))
                    isPingLast = true
                }
            }
            let received = Observed.message(isText ? .text : .binary, message)
            // A ping behind the last frame comes after the message, those before it do not.
            expected.insert(received, at: expected.count - (isPingLast ? 1 : 0))
        }
        return (bytes, expected)
    }

    private static func payload(
        isText: Bool, using generator: inout SeededGenerator
    ) -> [UInt8] {
        let count = [0, 1, 10, 100, 3_000, 40_000].randomElement(using: &generator) ?? 0
        if isText {
            let words = ["{\"id\":", "語", "é", "🙂", "name", "1", "2"]
            return (0..<count / 4).flatMap { _ in
                Array((words.randomElement(using: &generator) ?? "").utf8)
            }
        }
        let mask: UInt8 = [0, 3, 255].randomElement(using: &generator) ?? 0
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) & mask }
    }

    private static func agreed(using generator: inout SeededGenerator) -> PerMessageDeflate {
        PerMessageDeflate(
            serverNoContextTakeover: Bool.random(using: &generator),
            clientNoContextTakeover: Bool.random(using: &generator),
            serverWindowBits: Int.random(in: 8...15, using: &generator),
            clientWindowBits: Int.random(in: 8...15, using: &generator))
    }

    private static func configuration(
        using generator: inout SeededGenerator
    ) -> CompressionConfiguration {
        var configuration = CompressionConfiguration.every
        configuration.level = Int.random(in: 1...9, using: &generator)
        configuration.memoryLevel = Int.random(in: 1...9, using: &generator)
        return configuration
    }

    private static func feed(
        _ bytes: [UInt8], to observer: Observer, using generator: inout SeededGenerator
    ) -> [Observed] {
        var rest = bytes[...]
        let most = [1, 7, 300, 20_000, .max].randomElement(using: &generator) ?? 1
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...min(most, rest.count), using: &generator))
            observer.receive(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return observer.observed
    }

    /// Pieces put together to messages.
    private static func joined(_ observed: [Observed]) -> [Observed] {
        var whole: [Observed] = []
        var message: (place: Int, bytes: [UInt8])?
        for event in observed {
            guard case .piece(let kind, let bytes, let isFirst, let isLast) = event else {
                whole.append(event)
                continue
            }
            #expect(isFirst == (message == nil))
            #expect(isLast || !bytes.isEmpty)
            message = (0, (message?.bytes ?? []) + bytes)
            if isLast {
                whole.append(.message(kind, message?.bytes ?? []))
                message = nil
            }
        }
        return whole
    }

    @Test(arguments: 0..<150 as Range<UInt64>, [Role.server, .client])
    func `a valid stream, with any parameters, at random`(seed: UInt64, role: Role) {
        var generator = SeededGenerator(seed: seed)
        let pair = DeflatePair(
            receiving: role, agreed: Self.agreed(using: &generator),
            configuration: Self.configuration(using: &generator))
        let (bytes, expected) = Self.stream(pair, using: &generator)
        let observed = Self.feed(bytes, to: pair.observer, using: &generator)
        #expect(observed == expected, "seed \(seed)")
    }

    @Test(arguments: 0..<150 as Range<UInt64>, [Role.server, .client])
    func `in pieces it says the same`(seed: UInt64, role: Role) {
        var generator = SeededGenerator(seed: seed)
        let pair = DeflatePair(
            receiving: role, agreed: Self.agreed(using: &generator), delivery: .pieces)
        let (bytes, expected) = Self.stream(pair, using: &generator)
        let observed = Self.feed(bytes, to: pair.observer, using: &generator)
        #expect(Self.joined(observed) == expected, "seed \(seed)")
    }

    @Test(arguments: 0..<300 as Range<UInt64>, [ProtocolConfiguration.Delivery.whole, .pieces])
    func `a damaged stream ends the same way however it is cut`(
        seed: UInt64, delivery: ProtocolConfiguration.Delivery
    ) {
        var generator = SeededGenerator(seed: seed)
        let agreed = Self.agreed(using: &generator)
        let sender = DeflatePair(agreed: agreed)
        var (bytes, _) = Self.stream(sender, using: &generator)
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let index = Int.random(in: bytes.indices, using: &generator)
            bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
        }
        let limits = ProtocolLimits(messageBytesMax: 60_000)
        let whole = DeflatePair(agreed: agreed, limits: limits)
        whole.observer.receive(bytes)
        let cut = DeflatePair(agreed: agreed, limits: limits, delivery: delivery)
        let observed = Self.feed(bytes, to: cut.observer, using: &generator)
        func isMessage(_ event: Observed) -> Bool {
            if case .message = event { true } else { false }
        }
        if delivery == .whole {
            #expect(observed == whole.observer.observed, "seed \(seed)")
        } else {
            #expect(
                Self.joined(observed).filter(isMessage)
                    == whole.observer.observed.filter(isMessage), "seed \(seed)")
        }
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `noise in compressed frames always comes to an end`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let pair = DeflatePair(
            limits: ProtocolLimits(messageBytesMax: 5_000),
            delivery: seed % 2 == 0 ? .whole : .pieces)
        for _ in 0..<20 {
            let count = Int.random(in: 0...60, using: &generator)
            let noise = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            pair.receive(compressed: noise, .binary)
        }
    }

    @Test func `a piece is at most 16 KiB, whatever it inflates to`() {
        let pair = DeflatePair(delivery: .pieces)
        let message = [UInt8](repeating: 7, count: 1_000_000)
        let observed = pair.observer.receive(pair.frame(message))
        for event in observed {
            guard case .piece(_, let bytes, _, _) = event else { continue }
            #expect(bytes.count <= 16 << 10)
        }
        #expect(Self.joined(observed) == [.message(.binary, message)])
        // And when the last piece is just full.
        let exact = [UInt8](repeating: 8, count: 32 << 10)
        let rest = pair.observer.receive(pair.frame(exact))
        #expect(Self.joined(rest) == [.message(.binary, exact)])
    }
}
