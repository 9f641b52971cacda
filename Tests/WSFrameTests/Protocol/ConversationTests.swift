import NetPollTesting
import Testing
import WSFrame

@Suite("A client and a server talk")
struct ConversationTests {
    /// One end: what it says goes into the wire, what it hears is recorded.
    private final class End {
        let role: Role
        let observer: Observer
        var sent: [Observed] = []
        /// Bytes on their way to the other end.
        var wire: [UInt8] = []

        init(_ role: Role) {
            self.role = role
            observer = Observer(role: role)
        }

        private func key(_ generator: inout SeededGenerator) -> MaskingKey? {
            guard role == .client else { return nil }
            let bits = generator.next()
            return MaskingKey(
                UInt8(truncatingIfNeeded: bits), UInt8(truncatingIfNeeded: bits >> 8),
                UInt8(truncatingIfNeeded: bits >> 16), UInt8(truncatingIfNeeded: bits >> 24))
        }

        func say(_ opcode: Opcode, _ payload: [UInt8], _ generator: inout SeededGenerator) {
            guard observer.maySend else { return }
            wire += FrameEncoder.frame(
                payload.span.bytes, opcode: opcode, maskingKey: key(&generator))
            switch opcode {
            case .text: sent.append(.message(.text, payload))
            case .binary: sent.append(.message(.binary, payload))
            case .ping: sent.append(.ping(payload))
            default: sent.append(.pong(payload))
            }
        }

        func close(_ generator: inout SeededGenerator) {
            guard observer.closeRequested() == .send else { return }
            wire += FrameEncoder.closeFrame(.normal, maskingKey: key(&generator))
        }

        /// Hears a piece, and answers what must be answered.
        func hear(_ piece: [UInt8], _ generator: inout SeededGenerator) {
            for event in observer.receive(piece) {
                switch event {
                case .ping(let payload): say(.pong, payload, &generator)
                case .close(let code, _, .echo):
                    wire += FrameEncoder.closeFrame(code, maskingKey: key(&generator))
                default: break
                }
            }
        }

        /// Messages and pings heard; pongs and closes are answers.
        var heard: [Observed] {
            observer.observed.filter {
                if case .close = $0 { false } else { true }
            }
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `each hears all that the other said, however it is cut`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let ends = [End(.client), End(.server)]
        let sizes = [0, 1, 5, 125, 126, 300, 20_000, 70_000]
        for _ in 0..<Int.random(in: 1...60, using: &generator) {
            let end = ends[Int.random(in: 0...1, using: &generator)]
            let kind = [Opcode.text, .binary, .ping].randomElement(using: &generator) ?? .ping
            var count = sizes.randomElement(using: &generator) ?? 0
            if kind == .ping { count = min(count, 125) }
            end.say(kind, [UInt8](repeating: UInt8(seed % 100), count: count), &generator)
            deliver(between: ends, bytesMax: 4_000, &generator)
        }
        ends[Int.random(in: 0...1, using: &generator)].close(&generator)
        while !(ends[0].wire.isEmpty && ends[1].wire.isEmpty) {
            deliver(between: ends, bytesMax: 60_000, &generator)
        }
        for (end, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            #expect(end.observer.isClosed, "seed \(seed)")
            // What was said after the other end had closed is not heard.
            #expect(other.sent.starts(with: end.heard), "seed \(seed)")
            #expect(end.heard.count == other.sent.count || other.observer.closeInitiator == .peer)
        }
    }

    private func deliver(
        between ends: [End],
        bytesMax: Int,
        _ generator: inout SeededGenerator
    ) {
        for (from, to) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            let count = Int.random(in: 0...min(bytesMax, from.wire.count), using: &generator)
            let piece = Array(from.wire.prefix(count))
            from.wire.removeFirst(count)
            if !piece.isEmpty { to.hear(piece, &generator) }
        }
    }
}
