import NetPollTesting
import Testing
import WSFrame

@Suite("Messages in pieces, RFC 6455 §5.4")
struct PiecesTests {
    /// What `stream` gives in pieces, put together again; traps where the pieces do not fit.
    private static func joined(_ observed: [Observed]) -> [Observed] {
        var whole: [Observed] = []
        var message: (kind: MessageKind, bytes: [UInt8])?
        for event in observed {
            guard case .piece(let kind, let bytes, let isFirst, let isLast) = event else {
                whole.append(event)
                continue
            }
            #expect(isFirst == (message == nil))
            #expect(isLast || !bytes.isEmpty)
            message = (kind, (message?.bytes ?? []) + bytes)
            if isLast, let done = message {
                whole.append(.message(done.kind, done.bytes))
                message = nil
            }
        }
        return whole
    }

    private static func pieces(
        of stream: [UInt8],
        role: Role,
        cutBy generator: inout SeededGenerator
    ) -> Observer {
        let observer = Observer(role: role, delivery: .pieces)
        var rest = stream[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...300, using: &generator))
            observer.receive(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return observer
    }

    @Test(arguments: 0..<200 as Range<UInt64>, [Role.server, .client])
    func `joined, they are what is delivered whole`(seed: UInt64, role: Role) {
        var generator = SeededGenerator(seed: seed)
        let stream = RandomStream.valid(for: role, using: &generator)
        let observer = Self.pieces(of: stream, role: role, cutBy: &generator)
        #expect(Self.joined(observer.observed) == events(of: stream, role: role), "seed \(seed)")
    }

    @Test(arguments: 0..<200 as Range<UInt64>, [Role.server, .client])
    func `a damaged stream ends in the same violation`(seed: UInt64, role: Role) {
        var generator = SeededGenerator(seed: seed)
        let stream = RandomStream.damaged(for: role, using: &generator)
        let observer = Self.pieces(of: stream, role: role, cutBy: &generator)
        func violations(_ observed: [Observed]) -> [Observed] {
            observed.filter { if case .violation = $0 { true } else { false } }
        }
        let whole = events(of: stream, role: role)
        #expect(violations(observer.observed) == violations(whole), "seed \(seed)")
    }

    @Test func `nothing of a message is kept, and each piece lies in its input`() {
        let observer = Observer(delivery: .pieces)
        let frame = ClientFrames.frame(.binary, [UInt8](repeating: 5, count: 1000))
        observer.receive(Array(frame[..<500]))
        observer.receive(Array(frame[500...]))
        #expect(observer.observed.count == 2)
        #expect(observer.kept == 0)
    }

    @Test func `empty frames give no piece, but an empty end does`() {
        let observer = Observer(delivery: .pieces)
        observer.receive(ClientFrames.frame(.text, [], isFinal: false))
        #expect(observer.observed.isEmpty)
        observer.receive(ClientFrames.frame(.continuation, [0x61], isFinal: false))
        observer.receive(ClientFrames.frame(.continuation, []))
        #expect(
            observer.observed == [
                .piece(.text, [0x61], isFirst: true, isLast: false),
                .piece(.text, [], isFirst: false, isLast: true),
            ])
        observer.receive(ClientFrames.frame(.binary, []))
        #expect(observer.observed.last == .piece(.binary, [], isFirst: true, isLast: true))
    }

    @Test func `a message is bounded over its pieces`() {
        let limits = ProtocolLimits(messageBytesMax: 10)
        let observer = Observer(limits: limits, delivery: .pieces)
        observer.receive(ClientFrames.frame(.binary, [1, 2, 3, 4, 5], isFinal: false))
        observer.receive(ClientFrames.frame(.continuation, [1, 2, 3, 4, 5], isFinal: false))
        #expect(observer.observed.count == 2)
        observer.receive(ClientFrames.frame(.continuation, [1]))
        #expect(observer.observed.last == .violation(.oversizedMessage(bytes: 11, max: 10)))
        let next = Observer(limits: limits, delivery: .pieces)
        for _ in 0..<3 {
            next.receive(ClientFrames.frame(.binary, [UInt8](repeating: 0, count: 10)))
        }
        #expect(next.observed.count == 3)
    }
}
