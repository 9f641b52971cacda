import Testing

@testable import RPC

@Suite("ConnectionCore, frames longer than a side takes")
struct SkippedFrameTests {
    private static let messageBytesMax = 16 << 10
    private static let sizes = [20_000, 30_000]

    private func negotiated() throws -> CorePair {
        var server = CoreLimits()
        server.settings.messageBytesMax = UInt32(Self.messageBytesMax)
        var pair = CorePair(.init(), server)
        try pair.negotiate()
        return pair
    }

    private func opened(_ pair: inout CorePair) throws -> (key: CallKey, id: UInt32, slot: UInt32) {
        let call = try pair.client.sent(.bidirectional)
        let event = try pair.server.take(Sample.request(call.id, flags: .remoteOpen))
        guard case .call(let slot, _, _) = event else { throw NotSent() }
        return (call.key, call.id, slot)
    }

    /// Takes a piece that is short enough.
    private func take(_ frame: Frame, _ core: inout ConnectionCore) throws -> Bool {
        let piece = try frame.data.withUnsafeBytes { try core.receivedPiece(frame.header, $0) }
        if case .event(.none) = piece { return true }
        return false
    }

    /// How a message that is too long comes.
    enum Cut: CaseIterable {
        case whole
        case firstPiece
        case furtherPiece
        case afterItsCall
    }

    @Test(arguments: Cut.allCases)
    func `what they took of the connection's credit comes back`(cut: Cut) throws {
        var pair = try negotiated()
        for round in 0..<200 {
            let call = try opened(&pair)
            let size = Self.sizes[round & 1]
            var header = FrameHeader(dataBytes: size, stream: call.id, type: .data)
            let mayWrite = pair.client.mayWrite(
                .outgoing, call.key, messageBytes: cut == .furtherPiece ? 100 : size)
            try #require(mayWrite == .send(id: call.id), "no credit in round \(round)")
            switch cut {
            case .whole: break
            case .firstPiece: header.flags = .more
            case .furtherPiece:
                let first = Frame(.data, stream: call.id, flags: .more, Sample.text(100))
                let isTaken = try take(first, &pair.server)
                #expect(isTaken)
                pair.client.wrote(.outgoing, call.key, pieceBytes: size)
                header.flags = .more
            case .afterItsCall:
                _ = pair.server.answered(call.slot)
            }
            let event = try pair.server.receivedSkipped(header)
            #expect(event == (cut == .afterItsCall ? .none : .cancelled(slot: call.slot)))
            if header.flags.contains(.more) {
                pair.client.wrote(.outgoing, call.key, pieceBytes: 100)
                let last = Frame(.data, stream: call.id, Sample.text(100))
                let isTaken = try take(last, &pair.server)
                #expect(isTaken)
            }
            if cut == .afterItsCall {
                _ = pair.client.gaveUp(call.key)
            } else {
                _ = pair.server.answered(call.slot)
            }
            try pair.exchange()
        }
        let left = pair.client.outgoing.count
        #expect(left == 0)
        #expect(pair.server.partials.isEmpty)
        #expect(pair.client.sendCredit == pair.server.receiveCredit)
        let credit = Int(pair.server.limits.settings.connectionCredit)
        #expect(pair.server.receiveCredit + pair.server.consumed == credit)
    }

    @Test func `data that are not counted take none`() throws {
        var pair = CorePair()
        _ = try pair.server.take(Sample.request(1, flags: .remoteOpen, announces: true))
        _ = pair.client.opened(.bidirectional)
        try pair.exchange()
        let before = pair.server.receiveCredit
        let header = FrameHeader(dataBytes: 5 << 20, stream: 1, type: .data)
        let event = try pair.server.receivedSkipped(header)
        #expect(event == .cancelled(slot: 0))
        #expect(pair.server.receiveCredit == before && pair.server.consumed == 0)
    }

    @Test func `a request of which a piece is too long is refused, and not run with a hole`() throws
    {
        var pair = try negotiated()
        let first = Frame(.request, stream: 3, flags: .more, Sample.text(100))
        let isFirstTaken = try take(first, &pair.server)
        #expect(isFirstTaken)
        let header = FrameHeader(dataBytes: 20_000, stream: 3, type: .request, flags: .more)
        let event = try pair.server.receivedSkipped(header)
        #expect(event == .none)
        #expect(pair.server.takeRefusals() == [3: .resourceExhausted])
        let isLastTaken = try take(Frame(.request, stream: 3, Sample.text(100)), &pair.server)
        #expect(isLastTaken)
        #expect(pair.server.partials.isEmpty)
        #expect(pair.server.takeRefusals() == [:])
    }

    @Test func `further pieces of a request that begins too long are passed over`() throws {
        var pair = try negotiated()
        let header = FrameHeader(dataBytes: 20_000, stream: 3, type: .request, flags: .more)
        let event = try pair.server.receivedSkipped(header)
        #expect(event == .none)
        #expect(pair.server.takeRefusals() == [3: .resourceExhausted])
        let isLastTaken = try take(Frame(.request, stream: 3, Sample.text(100)), &pair.server)
        #expect(isLastTaken)
        #expect(pair.server.partials.isEmpty)
    }

    @Test func `a call is answered once, however much goes wrong with it`() throws {
        var pair = try negotiated()
        let call = try opened(&pair)
        let header = FrameHeader(dataBytes: 20_000, stream: call.id, type: .data)
        for _ in 0..<3 { _ = try pair.server.receivedSkipped(header) }
        let misplaced = Frame(.data, stream: call.id, flags: .oneWay, [1])
        for _ in 0..<3 { _ = try pair.server.take(misplaced) }
        var answers = 0
        for case .refusal(call.id, _) in pair.server.takeControl() { answers += 1 }
        #expect(answers == 1)
        let last = pair.server.answered(call.slot)
        #expect(last == nil)
    }

    @Test func `a one-way request is never answered, whatever is wrong with it`() throws {
        var pair = try negotiated()
        _ = try pair.server.take(Sample.request(9))
        let wrong = [
            // Of the server's own, used before, and no request at all.
            Sample.request(4, flags: .oneWay), Sample.request(7, flags: .oneWay),
            Sample.request(0, flags: .oneWay),
            Frame(.request, stream: 11, flags: .oneWay, [0xff, 0xff]),
        ]
        for frame in wrong {
            let event = try pair.server.take(frame)
            #expect(event == .none)
        }
        let header = FrameHeader(dataBytes: 20_000, stream: 13, type: .request, flags: .oneWay)
        _ = try pair.server.receivedSkipped(header)
        let frames = pair.server.takeControl()
        #expect(frames.isEmpty)
    }
}
