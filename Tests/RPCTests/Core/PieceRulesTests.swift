import Testing

@testable import RPC

@Suite("ConnectionCore, messages in pieces")
struct PieceRulesTests {
    private typealias Event = ConnectionCore.OnPiece

    /// What became of a frame: the event, or the whole message.
    private enum Taken: Equatable {
        case alone
        case event(CoreEvent)
        case whole(FrameHeader, [UInt8])
    }

    private func take(
        _ frame: Frame, _ core: inout ConnectionCore
    ) throws(ProtocolViolation) -> Taken {
        let result = frame.data.withUnsafeBytes { data -> Result<Event, ProtocolViolation> in
            do throws(ProtocolViolation) {
                return .success(try core.receivedPiece(frame.header, data))
            } catch {
                return .failure(error)
            }
        }
        switch try result.get() {
        case .alone: return .alone
        case .event(let event): return .event(event)
        case .whole(let header, let bytes): return .whole(header, bytes)
        }
    }

    private func negotiated(
        _ change: (inout CoreLimits) -> Void = { _ in }
    ) throws -> CorePair {
        var limits = CoreLimits()
        change(&limits)
        var pair = CorePair(limits, limits)
        try pair.negotiate()
        return pair
    }

    private func piece(
        _ type: FrameType, _ stream: UInt32, _ bytes: Int, _ flags: FrameFlags = .more
    ) -> Frame {
        Frame(type, stream: stream, flags: flags, [UInt8](repeating: 7, count: bytes))
    }

    @Test func `a request in pieces is whole with the last one, others between them`() throws {
        var pair = try negotiated()
        var decoder = FrameDecoder()
        let frames = try decoder.frames(in: Vectors.frame("request-in-pieces"))
        let got1 = try take(frames[0], &pair.server)
        #expect(got1 == .event(.none))
        let got2 = try take(frames[1], &pair.server)
        #expect(got2 == .alone)
        let got3 = try take(frames[2], &pair.server)
        #expect(got3 == .event(.none))
        guard case .whole(let header, let bytes) = try take(frames[3], &pair.server) else {
            Issue.record("not whole")
            return
        }
        #expect(header.flags == [])
        let event = try bytes.withUnsafeBytes { try pair.server.receivedWhole(header, $0, at: 0) }
        guard case .call(_, let envelope, .unary) = event else {
            Issue.record("no call: \(event)")
            return
        }
        #expect(Array(bytes[envelope.payload]) == Array("abcdefgh".utf8))
        #expect(pair.server.partials.isEmpty)
    }

    @Test func `a request that began earlier may end later than others`() throws {
        var pair = try negotiated()
        _ = try take(piece(.request, 3, 10), &pair.server)
        guard case .call = try pair.server.take(Sample.request(5)) else {
            Issue.record("no call")
            return
        }
        guard case .whole = try take(piece(.request, 3, 1, []), &pair.server) else {
            Issue.record("not whole")
            return
        }
    }

    @Test func `data in pieces take turns on their streams`() throws {
        var pair = try negotiated()
        for id in [25, 27] as [UInt32] {
            _ = try pair.server.take(Sample.request(id, flags: .remoteOpen))
        }
        var decoder = FrameDecoder()
        var messages: [UInt32: [UInt8]] = [:]
        for frame in try decoder.frames(in: Vectors.frame("data-in-pieces")) {
            if case .whole(let header, let bytes) = try take(frame, &pair.server) {
                messages[header.stream] = bytes
            }
        }
        #expect(messages == [25: Array("one message".utf8), 27: Array("other message".utf8)])
    }

    @Test func `pieces cost credit as they come, and need it for the first only`() throws {
        var pair = try negotiated { $0.settings.streamCredit = 100 }
        _ = try pair.server.take(Sample.request(3, flags: .remoteOpen))
        let before = pair.server.receiveCredit
        _ = try take(piece(.data, 3, 200), &pair.server)
        _ = try take(piece(.data, 3, 200), &pair.server)
        #expect(pair.server.receiveCredit == before - 410)
        _ = try take(piece(.data, 3, 1, []), &pair.server)
        #expect(throws: ProtocolViolation(.creditExceeded)) {
            try self.take(self.piece(.data, 3, 1), &pair.server)
        }
    }

    @Test func `pieces of a stream that is not counted give no credit back when it is given up`()
        throws
    {
        var pair = CorePair()
        let request = Sample.request(1, flags: .remoteOpen, announces: true)
        _ = try pair.server.take(request)
        _ = pair.client.opened(.bidirectional)
        try pair.exchange()
        let before = pair.server.receiveCredit
        _ = try take(piece(.data, 1, 20_000), &pair.server)
        _ = try pair.server.take(Sample.control(.cancel(stream: 1, code: .cancelled)))
        for _ in 0..<100 { _ = try take(piece(.data, 1, 20_000), &pair.server) }
        let frames = pair.server.takeControl()
        #expect(frames.isEmpty)
        #expect(pair.server.receiveCredit == before && pair.server.consumed == 0)
    }

    @Test(arguments: [FrameType.request, .data])
    func `a message that is too long in all ends its call, and its rest is passed over`(
        type: FrameType
    ) throws {
        var pair = try negotiated { $0.settings.messageBytesMax = 1_000 }
        if type == .data { _ = try pair.server.take(Sample.request(3, flags: .remoteOpen)) }
        _ = try take(piece(type, 3, 1_000), &pair.server)
        let event = try take(piece(type, 3, 1), &pair.server)
        #expect(pair.server.takeRefusals() == [3: .resourceExhausted])
        if type == .request { #expect(event == .event(.none)) }
        #expect(pair.server.partials.bytes == 0)
        _ = try take(piece(type, 3, 900), &pair.server)
        _ = try take(piece(type, 3, 900, []), &pair.server)
        #expect(pair.server.partials.isEmpty)
        #expect(pair.server.takeRefusals() == [:])
    }

    @Test func `a message of just the longest length is taken`() throws {
        var pair = try negotiated { $0.settings.messageBytesMax = 1_000 }
        _ = try take(piece(.request, 3, 999), &pair.server)
        guard case .whole(let header, _) = try take(piece(.request, 3, 1, []), &pair.server) else {
            Issue.record("not whole")
            return
        }
        #expect(header.dataBytes == 1_000)
    }

    @Test func `more messages in pieces than are taken end the connection`() throws {
        var pair = try negotiated { $0.settings.partialsMax = 2 }
        _ = try take(piece(.request, 3, 1), &pair.server)
        _ = try take(piece(.request, 5, 1), &pair.server)
        #expect(throws: ProtocolViolation(.tooManyPartialMessages)) {
            try self.take(self.piece(.request, 7, 1), &pair.server)
        }
    }

    @Test(arguments: [FrameFlags.more, .compressed])
    func `what was not negotiated is refused`(flags: FrameFlags) throws {
        var pair = try negotiated { $0.settings.partialsMax = 0 }
        var request = Sample.request(3)
        request.header.flags = flags
        let got4 = try take(request, &pair.server)
        #expect(got4 == .alone)
        _ = try pair.server.take(request)
        #expect(pair.server.takeRefusals() == [3: .unimplemented])
    }

    @Test func `a cancelled request's pieces are forgotten, and its stream's credit comes back`()
        throws
    {
        var pair = try negotiated()
        let before = pair.server.receiveCredit + pair.server.consumed
        _ = try take(piece(.request, 3, 100), &pair.server)
        _ = try pair.server.take(Sample.control(.cancel(stream: 3, code: .cancelled)))
        #expect(pair.server.partials.isEmpty)
        guard
            case .call(let slot, _, _) = try pair.server.take(
                Sample.request(5, flags: .remoteOpen))
        else { return }
        _ = try take(piece(.data, 5, 100), &pair.server)
        _ = try pair.server.take(Sample.control(.cancel(stream: 5, code: .cancelled)))
        #expect(pair.server.partials.bytes == 0)
        _ = try take(piece(.data, 5, 100), &pair.server)
        _ = pair.server.answered(slot)
        #expect(pair.server.partials.isEmpty)
        #expect(pair.server.receiveCredit + pair.server.consumed == before)
    }

    @Test(arguments: [FrameFlags.more, [.more, .compressed]])
    func `pieces that come when their call is over cost what they would have cost`(
        flags: FrameFlags
    ) throws {
        var pair = try negotiated {
            $0.settings.connectionCredit = 1 << 30
            $0.settings.compressors = PeerSettings.zlib
        }
        let isCompressed = flags.contains(.compressed)
        // What their first four bytes say of a compressed message.
        let original = 0x0707_0707
        // Nothing of the call of stream 3 has come when it is over, of stream 5's a piece has.
        for (stream, first) in [(UInt32(3), 200), (5, 100)] {
            guard
                case .call(let slot, _, _) = try pair.server.take(
                    Sample.request(stream, flags: .remoteOpen))
            else { return }
            if stream == 5 { _ = try take(piece(.data, 5, first, flags), &pair.server) }
            _ = pair.server.answered(slot)
            let before = pair.server.consumed
            if stream == 3 { _ = try take(piece(.data, 3, first, flags), &pair.server) }
            let begun = stream == 3 ? (isCompressed ? original : first) + 10 : 0
            #expect(pair.server.consumed - before == begun)
            _ = try take(piece(.data, stream, 200), &pair.server)
            _ = try pair.server.take(piece(.data, stream, 50, []))
            let further = isCompressed ? 0 : 250
            #expect(pair.server.consumed - before == begun + further)
            // The next message.
            _ = try pair.server.take(piece(.data, stream, 50, []))
            #expect(pair.server.consumed - before == begun + further + 60)
        }
        #expect(pair.server.receiveCredit + pair.server.consumed == 1 << 30)
    }

    @Test func `late messages that never end are forgotten in their turn`() throws {
        var partials = PartialMessages()
        for stream in 0...UInt32(PartialMessages.lateMax) {
            partials.addLate(piece(.data, 2 * stream + 1, 0).header)
        }
        let costs = [1, 3].map { partials.lateCost(piece(.data, $0, 100).header, 110) }
        #expect(costs == [110, 110])
        let last = 2 * UInt32(PartialMessages.lateMax) + 1
        let cost = partials.lateCost(piece(.data, last, 100).header, 110)
        #expect(cost == 100)
    }

    @Test func `an answer's pieces are forgotten with its call`() throws {
        var pair = try negotiated()
        let call = try pair.client.sent()
        _ = try take(piece(.response, call.id, 100), &pair.client)
        #expect(pair.client.partials.count == 1)
        _ = pair.client.gaveUp(call.key)
        #expect(pair.client.partials.isEmpty)
        let got5 = try take(piece(.response, call.id, 100), &pair.client)
        #expect(got5 == .event(.none))
        #expect(pair.client.partials.isEmpty)
    }

    @Test func `what had begun when a side drained is taken, what began later is not`() throws {
        var pair = try negotiated()
        let data = Sample.request(3).data
        _ = try take(Frame(.request, stream: 3, flags: .more, data), &pair.server)
        pair.server.drain()
        let isIdle = pair.server.isIdle
        #expect(!isIdle)
        _ = try take(Frame(.request, stream: 5, flags: .more, data), &pair.server)
        var events: [CoreEvent] = []
        for id in [3, 5] as [UInt32] {
            guard
                case .whole(let header, let whole) = try take(
                    Frame(.request, stream: id), &pair.server)
            else { continue }
            events.append(
                try whole.withUnsafeBytes { try pair.server.receivedWhole(header, $0, at: 0) })
        }
        guard case .call = events.first, events.last == CoreEvent.none else {
            Issue.record("\(events)")
            return
        }
        #expect(pair.server.takeRefusals() == [5: .unavailable])
    }

    @Test func `a stream does not end within a message`() throws {
        var pair = try negotiated()
        _ = try pair.server.take(Sample.request(3, flags: .remoteOpen))
        _ = try take(piece(.data, 3, 1), &pair.server)
        #expect(throws: ProtocolViolation(.unexpectedFrame(type: 3))) {
            try self.take(Frame(.data, stream: 3, flags: .closing), &pair.server)
        }
    }
}
