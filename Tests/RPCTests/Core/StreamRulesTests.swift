import Testing

@testable import RPC

@Suite("ConnectionCore, streams")
struct StreamRulesTests {
    private func data(_ id: UInt32, _ flags: FrameFlags = [], _ bytes: [UInt8] = []) -> Frame {
        Frame(.data, stream: id, flags: flags, bytes)
    }

    @Test(arguments: [
        (CallShape.unary, FrameFlags()), (.serverStreaming, .remoteClosed),
        (.clientStreaming, .remoteOpen), (.bidirectional, .remoteOpen),
    ])
    func `a request's flags tell its shape`(shape: CallShape, flags: FrameFlags) throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        guard case .send(let key) = client.opened(shape) else { return }
        #expect(client.begin(key.slot, shape: shape).flags == flags)
    }

    @Test(arguments: [[.remoteClosed], [.remoteClosed, .noData]] as [FrameFlags])
    func `a server stream ends with a closing frame, with a message or without`(
        flags: FrameFlags
    ) throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        let call = try client.sent(.serverStreaming)
        let got1 = try client.take(data(call.id, [], [1]))
        #expect(
            got1
                == .data(
                    .outgoing, slot: call.key.slot, hasMessage: true, isEnd: false, isOver: false))
        let got2 = try client.take(data(call.id, flags))
        #expect(
            got2
                == .data(
                    .outgoing, slot: call.key.slot, hasMessage: !flags.contains(.noData),
                    isEnd: true, isOver: true))
        #expect(client.outgoing.count == 0)
    }

    @Test func `a server stream that fails ends with a response`() throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        let call = try client.sent(.serverStreaming)
        let failure = Sample.response(call.id, status: RPCError(.notFound))
        guard case .reply(_, let envelope) = try client.take(failure) else {
            Issue.record("no reply")
            return
        }
        #expect(envelope.code == 5)
    }

    @Test func `a bidirectional call ends when both sides are closed`() throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        let call = try client.sent(.bidirectional)
        _ = try client.take(data(call.id, [.remoteClosed, .noData]))
        #expect(client.outgoing.count == 1)
        #expect(client.closedWrite(.outgoing, call.key) == call.id)
        #expect(client.outgoing.count == 0)
        #expect(client.closedWrite(.outgoing, call.key) == nil)
        // Go tells a client that writes late; that is no news.
        let got3 = try client.take(Sample.response(call.id, status: RPCError(.aborted)))
        #expect(got3 == .none)
    }

    @Test func `a client stream is read until its end`() throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        guard
            case .call(let slot, _, .streamingIn) = try server.take(
                Sample.request(1, flags: .remoteOpen))
        else { return }
        let got4 = try server.take(data(1, [], [1]))
        #expect(got4 == .data(.incoming, slot: slot, hasMessage: true, isEnd: false, isOver: false))
        let got5 = try server.take(data(1, [.remoteClosed, .noData]))
        #expect(got5 == .data(.incoming, slot: slot, hasMessage: false, isEnd: true, isOver: false))
        #expect(server.answered(slot) == 1)
    }

    @Test func `data after the sender's end refuse the stream`() throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        guard case .call(let slot, _, _) = try server.take(Sample.request(1, flags: .remoteClosed))
        else { return }
        let got6 = try server.take(data(1, [], [1]))
        #expect(got6 == .cancelled(slot: slot))
        #expect(server.takeRefusals() == [1: .invalidArgument])
    }

    @Test func `a plain client's late data are answered with status 3`() throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        guard case .call(let slot, _, _) = try server.take(Sample.request(1, flags: .remoteOpen))
        else { return }
        _ = server.answered(slot)
        let got7 = try server.take(data(1, [], [1]))
        #expect(got7 == .none)
        #expect(server.takeRefusals() == [1: .invalidArgument])
    }

    @Test func `a peer of ours may send late data, whose credit comes back`() throws {
        var pair = CorePair()
        try pair.negotiate()
        let before = pair.server.receiveCredit
        for _ in 0..<100 {
            _ = try pair.server.take(data(1, [], [UInt8](repeating: 0, count: 10_000)))
        }
        let frames = pair.server.takeControl()
        #expect(!frames.isEmpty)
        #expect(pair.server.receiveCredit + pair.server.consumed == before)
    }

    @Test func `a stream sends while it has credit, and goes on when it gets more`() throws {
        var limits = CoreLimits()
        limits.settings.streamCredit = 100
        var pair = CorePair(.init(), limits)
        try pair.negotiate()
        let call = try pair.client.sent(.bidirectional)
        guard
            case .call(let slot, _, _) = try pair.server.take(
                Sample.request(call.id, flags: .remoteOpen))
        else { return }
        let message = [UInt8](repeating: 0, count: 80)
        for _ in 0..<2 {
            #expect(
                pair.client.mayWrite(.outgoing, call.key, messageBytes: 80) == .send(id: call.id))
            _ = try pair.server.take(data(call.id, [], message))
        }
        #expect(pair.client.mayWrite(.outgoing, call.key, messageBytes: 0) == .wait)
        pair.server.consumed(.incoming, pair.server.incoming.key(slot), messageBytes: 80)
        let frames = pair.server.takeControl()
        #expect(frames == [.window(stream: call.id, credit: 90)])
        let got8 = try pair.client.take(Sample.control(frames[0]))
        #expect(got8 == .credit)
        #expect(pair.client.mayWrite(.outgoing, call.key, messageBytes: 0) == .send(id: call.id))
    }

    @Test func `data without credit end the connection`() throws {
        var limits = CoreLimits()
        limits.settings.streamCredit = 100
        var pair = CorePair(.init(), limits)
        try pair.negotiate()
        _ = try pair.server.take(Sample.request(3, flags: .remoteOpen))
        let message = [UInt8](repeating: 0, count: 100)
        _ = try pair.server.take(data(3, [], message))
        #expect(throws: ProtocolViolation(.creditExceeded)) {
            try pair.server.take(data(3, [], message))
        }
    }

    @Test func `the end of a stream costs nothing and needs no credit`() throws {
        var limits = CoreLimits()
        limits.settings.streamCredit = 100
        var pair = CorePair(.init(), limits)
        try pair.negotiate()
        _ = try pair.server.take(Sample.request(3, flags: .remoteOpen))
        _ = try pair.server.take(data(3, [], [UInt8](repeating: 0, count: 100)))
        let before = pair.server.receiveCredit
        let event = try pair.server.take(data(3, .closing))
        guard case .data(_, _, false, true, _) = event else {
            Issue.record("\(event)")
            return
        }
        // Nor does one that comes late.
        _ = try pair.server.take(data(1, .closing))
        #expect(pair.server.receiveCredit == before)
        #expect(pair.server.consumed == 0)
    }

    @Test func `a stream that was opened before the settings came is not counted`() throws {
        var pair = CorePair()
        let call = try pair.client.sent(.bidirectional)
        let request = Sample.request(call.id, flags: .remoteOpen, announces: true)
        _ = try pair.server.take(request)
        try pair.exchange()
        for _ in 0..<100 {
            #expect(
                pair.client.mayWrite(.outgoing, call.key, messageBytes: 100_000)
                    == .send(id: call.id))
            _ = try pair.server.take(data(call.id, [], [UInt8](repeating: 0, count: 100_000)))
        }
    }

    @Test func `late data of a stream that was not counted give no credit back`() throws {
        var pair = CorePair()
        let call = try pair.client.sent(.bidirectional)
        let request = Sample.request(call.id, flags: .remoteOpen, announces: true)
        guard case .call(let slot, _, _) = try pair.server.take(request) else { return }
        try pair.exchange()
        let before = (pair.client.receiveCredit, pair.server.receiveCredit)
        _ = pair.server.answered(slot)
        _ = pair.client.gaveUp(call.key)
        _ = pair.client.takeControl()
        let message = [UInt8](repeating: 0, count: 10_000)
        for _ in 0..<100 {
            _ = try pair.server.take(data(call.id, [], message))
            _ = try pair.client.take(data(call.id, [], message))
        }
        let frames = pair.server.takeControl() + pair.client.takeControl()
        #expect(frames.isEmpty)
        #expect(pair.client.receiveCredit == before.0 && pair.client.consumed == 0)
        #expect(pair.server.receiveCredit == before.1 && pair.server.consumed == 0)
    }

    /// Why a request is refused that was sent before the settings were known.
    enum Refusal: CaseIterable { case drained, expired, full, malformed, tooLong }

    @Test(arguments: Refusal.allCases)
    func `late data of a refused stream that was not counted give no credit back`(
        why: Refusal
    ) throws {
        var limits = CoreLimits()
        if why == .full { limits.settings.callsMax = 1 }
        var pair = CorePair(.init(), limits)
        // Both calls announce the extensions: the settings are still on their way.
        let (first, call) = (try pair.client.sent(), try pair.client.sent(.bidirectional))
        _ = try pair.server.take(Sample.request(first.id, announces: true))
        if why == .drained { pair.server.drain() }
        var request = Sample.request(
            call.id, flags: .remoteOpen, timeout: why == .expired ? -1 : 0, announces: true)
        switch why {
        case .drained, .expired, .full: break
        case .malformed: request = Frame(request.header, [0xff])
        case .tooLong: request.header.dataBytes = 5 << 20
        }
        let event =
            why == .tooLong
            ? try pair.server.receivedSkipped(request.header) : try pair.server.take(request)
        #expect(event == .none)
        let before = pair.server.receiveCredit
        try pair.exchange()
        #expect(pair.server.peer != nil)
        for _ in 0..<100 {
            _ = try pair.server.take(data(call.id, [], [UInt8](repeating: 0, count: 10_000)))
        }
        let frames = pair.server.takeControl()
        #expect(frames.isEmpty)
        #expect(pair.server.receiveCredit == before && pair.server.consumed == 0)
        // Those that begin later are counted.
        _ = try pair.server.take(data(call.id + 2, [], [1]))
        #expect(pair.server.consumed == ConnectionCore.cost(1))
    }

    @Test(arguments: [0, 3] as [UInt32])
    func `credit beyond what can be counted ends the connection`(stream: UInt32) throws {
        var pair = CorePair()
        try pair.negotiate()
        _ = try pair.client.sent(.bidirectional)
        #expect(throws: ProtocolViolation(.creditOverflow)) {
            try pair.client.take(
                Sample.control(.window(stream: stream, credit: UInt32(Int32.max))))
        }
    }

    @Test func `credit for a stream that ended is ignored`() throws {
        var pair = CorePair()
        try pair.negotiate()
        let got9 = try pair.client.take(Sample.control(.window(stream: 99, credit: 1)))
        #expect(got9 == .none)
    }
}
