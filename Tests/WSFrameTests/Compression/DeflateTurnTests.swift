import NetPollTesting
import Testing
import WSFrame

@Suite("Bytes inflated per turn")
struct DeflateTurnTests {
    /// What a driver that gives `most` bytes to each turn is told, turn by turn.
    private func turns(_ pair: DeflatePair, _ bytes: [UInt8], most: Int) -> [[Observed]] {
        var turns: [[Observed]] = []
        var rest = bytes
        repeat {
            pair.receiver.turnBegan(turns.count, bytesMax: most)
            turns.append(pair.observer.receive(rest))
            rest = pair.observer.rest
        } while (!rest.isEmpty || pair.receiver.isFinishing) && turns.count < 500_000
        return turns
    }

    private func text(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(ascii: "a") + UInt8($0 / 100 % 26) }
    }

    private func payload(of events: [Observed]) -> [UInt8] {
        events.flatMap { event -> [UInt8] in
            guard case .piece(_, let bytes, _, _) = event else { return [] }
            return bytes
        }
    }

    @Test(arguments: [Role.server, .client], [1, 100, 4_096, 16_384, 16_385, 99_999])
    func `no turn inflates a byte more than it may`(role: Role, most: Int) {
        let pair = DeflatePair(receiving: role, delivery: .pieces)
        let message = text(100_000)
        let turns = turns(pair, pair.frame(message, .text), most: most)
        let counts = turns.map { payload(of: $0).count }
        #expect(counts.dropLast(2).allSatisfy { $0 == most })
        #expect(counts.suffix(2).allSatisfy { $0 <= most })
        #expect(payload(of: turns.flatMap(\.self)) == message)
    }

    @Test(
        arguments: [Role.server, .client],
        // Where the bytes of a turn end with the message, only the next turn can know.
        [(9_999, 1), (10_000, 2), (10_001, 2), (99_999, 10), (100_000, 11), (100_001, 11)])
    func `a message of more than a turn's bytes is whole after as many turns as they take`(
        role: Role, expected: (count: Int, turns: Int)
    ) {
        let pair = DeflatePair(receiving: role)
        let message = text(expected.count)
        let turns = turns(pair, pair.frame(message, .text), most: 10_000)
        #expect(turns.count == expected.turns)
        #expect(turns.dropLast().allSatisfy { $0.isEmpty })
        #expect(turns.last == [.message(.text, message)])
    }

    @Test func `messages of one turn share its bytes`() {
        let pair = DeflatePair()
        let messages = (0..<10).map { text(3_000 + $0) }
        let turns = turns(pair, messages.flatMap { pair.frame($0) }, most: 10_000)
        #expect(turns.map(\.count) == [3, 3, 3, 1])
        #expect(turns.flatMap(\.self) == messages.map { .message(.binary, $0) })
    }

    @Test(arguments: 0..<150 as Range<UInt64>)
    func `turns change nothing but the time`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let delivery: ProtocolConfiguration.Delivery =
            Bool.random(using: &generator) ? .whole : .pieces
        let role: Role = Bool.random(using: &generator) ? .server : .client
        let pair = DeflatePair(receiving: role, delivery: delivery)
        var frames: [UInt8] = []
        var expected: [Observed] = []
        for _ in 0..<12 {
            let count = [0, 1, 300, 5_000, 40_000].randomElement(using: &generator) ?? 0
            let message = text(count)
            let cuts = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                Int.random(in: 0...60, using: &generator)
            }
            let parts = pair.frames(message, .binary, cuts: cuts.sorted())
            frames += parts[0]
            for part in parts.dropFirst() {
                frames += ClientFrames.frame(.ping, [1], key: pair.key) + part
                expected.append(.ping([1]))
            }
            let plain = ClientFrames.frame(.text, [0x61], key: pair.key)
            frames += plain
            expected += [.message(.binary, message), .text("a")]
        }
        let most = Int.random(in: 1...20_000, using: &generator)
        var seen: [Observed] = []
        var rest: [UInt8] = []
        var turn = 0
        while !frames.isEmpty || !rest.isEmpty || pair.receiver.isFinishing {
            // Who has something left does not read.
            if rest.isEmpty, !pair.receiver.isFinishing {
                rest = Array(frames.prefix(Int.random(in: 1...400, using: &generator)))
                frames.removeFirst(rest.count)
            }
            pair.receiver.turnBegan(turn, bytesMax: most)
            turn += 1
            seen += pair.observer.receive(rest)
            rest = pair.observer.rest
        }
        #expect(joined(seen) == joined(expected), "seed \(seed)")
    }

    /// Messages whole, and pings apart, since a ping may come in another place among pieces.
    private func joined(_ events: [Observed]) -> [Observed] {
        var result: [Observed] = []
        var message: [UInt8] = []
        for event in events {
            guard case .piece(let kind, let bytes, _, let isLast) = event else {
                result.append(event)
                continue
            }
            message += bytes
            guard isLast else { continue }
            result.append(.message(kind, message))
            message = []
        }
        return result
    }

    @Test func `a bomb is found in its turn, however small the turns are`() {
        let limits = ProtocolLimits(messageBytesMax: 50_000)
        let pair = DeflatePair(limits: limits)
        let turns = turns(pair, pair.frame([UInt8](repeating: 0, count: 1 << 20)), most: 1_000)
        #expect(turns.count == 50)
        let violation = Observed.violation(.oversizedMessage(bytes: 50_001, max: 50_000))
        #expect(turns.last == [violation])
    }

    @Test func `where no turns are told everything is inflated at once`() {
        let pair = DeflatePair()
        let message = [UInt8](repeating: 7, count: 1 << 20)
        let events = pair.observer.receive(pair.frame(message))
        #expect(events == [.message(.binary, message)])
    }
}
