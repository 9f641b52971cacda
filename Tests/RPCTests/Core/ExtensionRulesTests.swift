import Testing

@testable import RPC

@Suite("ConnectionCore, extensions")
struct ExtensionRulesTests {
    @Test func `requests announce until the settings come`() throws {
        var pair = CorePair()
        #expect(pair.client.announces == true)
        try pair.negotiate()
        #expect(pair.client.announces == false)
        #expect(pair.client.peer == PeerSettings())
        #expect(pair.server.peer == PeerSettings())
    }

    @Test func `a reply without settings makes the peer a plain one`() throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        let call = try client.sent()
        _ = try client.take(Sample.response(call.id))
        #expect(client.extensions == .plain)
        #expect(client.announces == false)
    }

    @Test func `a plain peer never gets an extension frame`() throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        guard case .call(let slot, _, _) = try server.take(Sample.request(1)) else { return }
        server.drain()
        #expect(server.tick(1_000_000_000_000) == .wait(until: .max))
        #expect(server.answered(slot) == 1)
        #expect(server.hasControl == false)
    }

    @Test func `extension frames before the announcement are ignored`() throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        guard case .call = try server.take(Sample.request(1)) else { return }
        let cancel = try Sample.control(.cancel(stream: 1, code: .cancelled))
        let got1 = try server.take(cancel)
        #expect(got1 == .none)
        #expect(server.incoming.count == 1)
    }

    @Test func `the lower bound of calls in flight holds`() throws {
        var limits = CoreLimits()
        limits.settings.callsMax = 1
        var pair = CorePair(.init(), limits)
        try pair.negotiate()
        _ = try pair.client.sent()
        guard case .wait = pair.client.opened(.unary) else {
            Issue.record("a second call was not made to wait")
            return
        }
    }

    @Test func `cancel ends the call here and cancels the handler there`() throws {
        var pair = CorePair()
        try pair.negotiate()
        let call = try pair.client.sent()
        guard case .call(let slot, _, _) = try pair.server.take(Sample.request(call.id)) else {
            return
        }
        #expect(pair.client.gaveUp(call.key) == true)
        #expect(pair.client.gaveUp(call.key) == nil)
        #expect(pair.client.outgoing.count == 0)
        let frame = try pair.client.firstControl()
        #expect(frame == .cancel(stream: call.id, code: .cancelled))
        let got2 = try pair.server.take(Sample.control(frame))
        #expect(got2 == .cancelled(slot: slot))
        // A second one, and one that comes after the answer, change nothing.
        let got3 = try pair.server.take(Sample.control(frame))
        #expect(got3 == .none)
        #expect(pair.server.answered(slot) == nil)
        #expect(pair.server.incoming.count == 0)
        let got4 = try pair.server.take(Sample.control(frame))
        #expect(got4 == .none)
    }

    @Test func `a one-way call is over when it is sent and never answered`() throws {
        var pair = CorePair()
        try pair.negotiate()
        guard case .send(let key) = pair.client.opened(.unary, isOneWay: true) else { return }
        let (id, flags) = pair.client.begin(key.slot, shape: .unary)
        #expect(flags == .oneWay)
        #expect(pair.client.outgoing.count == 0)
        let request = Sample.request(id, flags: flags)
        guard case .call(let slot, _, _) = try pair.server.take(request) else { return }
        #expect(pair.server.answered(slot) == nil)
    }

    @Test func `a one-way call to a plain peer is answered and dropped`() throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        guard case .send(let key) = client.opened(.unary, isOneWay: true) else { return }
        let (id, flags) = client.begin(key.slot, shape: .unary)
        #expect(flags.isEmpty)
        guard case .reply = try client.take(Sample.response(id)) else {
            Issue.record("no reply")
            return
        }
    }

    @Test func `a ping is answered with its bytes`() throws {
        var pair = CorePair()
        try pair.negotiate()
        _ = try pair.server.take(Sample.control(.ping(42)))
        #expect(pair.server.takeControl() == [.pong(42)])
    }

    @Test func `a silent peer is pinged, and given up when it stays silent`() throws {
        var pair = CorePair()
        try pair.negotiate()
        let second: Int64 = 1_000_000_000
        #expect(pair.client.tick(19 * second) == .wait(until: 20 * second))
        #expect(pair.client.tick(20 * second) == .wait(until: 30 * second))
        #expect(pair.client.takeControl() == [.ping(UInt64(20 * second))])
        #expect(pair.client.tick(29 * second) == .wait(until: 30 * second))
        #expect(pair.client.tick(30 * second) == .dead)
        // Any frame is a sign of life.
        pair.client.heard(30 * second)
        #expect(pair.client.tick(31 * second) == .wait(until: 50 * second))
    }

    @Test func `goaway fails what was not accepted and lets the rest end`() throws {
        var pair = CorePair()
        try pair.negotiate()
        let accepted = try pair.client.sent()
        guard case .call(let slot, _, _) = try pair.server.take(Sample.request(accepted.id)) else {
            return
        }
        let refused = try pair.client.sent()
        pair.server.drain(text: "restart")
        let frame = try pair.server.firstControl()
        guard case .goAway(let goAway) = try pair.client.take(Sample.control(frame)) else {
            Issue.record("no goaway")
            return
        }
        #expect(goAway == GoAway(lastAccepted: accepted.id, code: .unavailable, text: "restart"))
        var cursor: UInt32 = 0
        #expect(pair.client.nextNotAccepted(&cursor) == refused.key.slot)
        #expect(pair.client.nextNotAccepted(&cursor) == nil)
        #expect(pair.client.opened(.unary) == .refuse(.draining))
        // What was under way is refused there, and its refusal is ignored here.
        let got5 = try pair.server.take(Sample.request(refused.id))
        #expect(got5 == .none)
        #expect(pair.server.takeRefusals() == [refused.id: .unavailable])
        #expect(pair.server.answered(slot) == accepted.id)
        guard case .reply = try pair.client.take(Sample.response(accepted.id)) else {
            Issue.record("the accepted call was not answered")
            return
        }
        #expect(pair.client.isIdle == true)
        #expect(pair.server.isIdle == true)
    }

    @Test func `deadlines end calls on both sides, ten thousand at once`() throws {
        var limits = CoreLimits()
        limits.outgoingMax = 10_000
        limits.settings.callsMax = 10_000
        var pair = CorePair(limits, limits)
        try pair.negotiate()
        for _ in 0..<10_000 {
            let call = try pair.client.sent(deadline: 1_000)
            _ = try pair.server.take(Sample.request(call.id, timeout: 1_000))
        }
        #expect(pair.client.takeExpired(999) == [])
        #expect(pair.client.takeExpired(1_000).count == 10_000)
        #expect(pair.client.outgoing.count == 0)
        #expect(pair.client.nextDeadline == .max)
        let expired = pair.server.takeExpired(1_000)
        #expect(expired.count == 10_000)
        #expect(pair.server.takeRefusals().count == 10_000)
        for call in expired { #expect(pair.server.answered(call.slot) == nil) }
        #expect(pair.server.takeExpired(2_000) == [])
        #expect(pair.server.isIdle == true)
    }

    @Test func `settings that come twice end the connection`() throws {
        var pair = CorePair()
        try pair.negotiate()
        #expect(throws: ProtocolViolation.self) {
            try pair.client.take(Sample.control(.settings(PeerSettings())))
        }
    }

    @Test(arguments: [
        (FrameType.ping, 7), (.ping, 9), (.pong, 0), (.cancel, 3), (.window, 5), (.goAway, 7),
    ])
    func `an extension frame of a wrong length ends the connection`(
        type: FrameType, dataBytes: Int
    ) throws {
        var pair = CorePair()
        try pair.negotiate()
        let frame = Frame(type, stream: 0, [UInt8](repeating: 0, count: dataBytes))
        #expect(throws: ProtocolViolation(.malformedFrame(type: type.rawValue))) {
            try pair.server.take(frame)
        }
    }

    @Test(arguments: [FrameFlags.more, .compressed])
    func `flags that version 1 reserves are refused with status 12`(flag: FrameFlags) throws {
        var pair = CorePair()
        try pair.negotiate()
        let got6 = try pair.server.take(Sample.request(3, flags: flag))
        #expect(got6 == .none)
        #expect(pair.server.takeRefusals() == [3: .unimplemented])
    }
}
