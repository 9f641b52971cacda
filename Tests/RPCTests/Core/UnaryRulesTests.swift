import Testing

@testable import RPC

@Suite("ConnectionCore, unary calls")
struct UnaryRulesTests {
    @Test func `a client's ids are odd and rise, a server's even`() throws {
        var pair = CorePair()
        try pair.negotiate()
        let odd = [try pair.client.sent().id, try pair.client.sent().id]
        #expect(odd == [3, 5])
        let even = [try pair.server.sent().id, try pair.server.sent().id]
        #expect(even == [2, 4])
    }

    @Test func `after the last id no call is opened`() throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        client.nextID = .max
        let last = try client.sent().id
        #expect(last == .max)
        #expect(client.opened(.unary) == .refuse(.draining))
    }

    @Test func `a call that waits when the last id is used is not sent, and is over`() throws {
        var limits = CoreLimits()
        limits.outgoingMax = 1
        var client = ConnectionCore(role: .client, limits: limits, now: 0)
        let first = try client.sent()
        let waiting = try (0..<2).map { _ in
            guard case .wait(let key) = client.opened(.unary) else { throw NotSent() }
            return key
        }
        client.nextID = .max
        _ = try client.take(Sample.response(first.id))
        let next = client.nextSendable()
        #expect(next == waiting[0].slot)
        let last = client.begin(waiting[0].slot, shape: .unary).id
        _ = try client.take(Sample.response(last))
        let sendable = client.nextSendable()
        #expect(last == .max && sendable == nil)
        var cursor: UInt32 = 0
        let over = client.nextNotAccepted(&cursor)
        #expect(over == waiting[1].slot)
        #expect(client.isIdle && client.waitingCount == 0)
    }

    @Test func `a plain peer's server cannot call`() {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        #expect(server.opened(.unary) == .refuse(.unsupported))
    }

    @Test func `replies in any order end their own calls`() throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        let calls = try (0..<50).map { _ in try client.sent() }
        for call in calls.reversed() {
            guard case .reply(let slot, _) = try client.take(Sample.response(call.id)) else {
                Issue.record("no reply for \(call.id)")
                continue
            }
            #expect(slot == call.key.slot)
        }
        #expect(client.outgoing.count == 0)
    }

    @Test func `a second reply and one to an unknown stream are ignored`() throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        let call = try client.sent()
        _ = try client.take(Sample.response(call.id))
        let got1 = try client.take(Sample.response(call.id))
        #expect(got1 == .none)
        let got2 = try client.take(Sample.response(99))
        #expect(got2 == .none)
    }

    @Test func `an id that does not rise is refused with status 3`() throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        _ = try server.take(Sample.request(5))
        for id in [5, 3] as [UInt32] {
            let got3 = try server.take(Sample.request(id))
            #expect(got3 == .none)
            #expect(server.takeRefusals() == [id: .invalidArgument])
        }
    }

    @Test(arguments: [0, 2, 4] as [UInt32])
    func `an id that is not a client's is refused with status 3`(id: UInt32) throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        let got4 = try server.take(Sample.request(id))
        #expect(got4 == .none)
        #expect(server.takeRefusals() == [id: .invalidArgument])
    }

    @Test func `a request that cannot be read is refused with status 3`() throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        let got5 = try server.take(Frame(.request, stream: 1, [0x0a]))
        #expect(got5 == .none)
        #expect(server.takeRefusals() == [1: .invalidArgument])
    }

    @Test func `a request that has expired is refused with status 4 before it runs`() throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        let got6 = try server.take(Sample.request(1, timeout: -1))
        #expect(got6 == .none)
        #expect(server.takeRefusals() == [1: .deadlineExceeded])
    }

    @Test func `as many calls run as may, and the next is refused with status 8`() throws {
        var limits = CoreLimits()
        limits.settings.callsMax = 2
        var server = ConnectionCore(role: .server, limits: limits, now: 0)
        guard case .call(let first, _, _) = try server.take(Sample.request(1)) else { return }
        _ = try server.take(Sample.request(3))
        let got7 = try server.take(Sample.request(5))
        #expect(got7 == .none)
        #expect(server.takeRefusals() == [5: .resourceExhausted])
        #expect(server.answered(first) == 1)
        guard case .call = try server.take(Sample.request(7)) else {
            Issue.record("no call after room was made")
            return
        }
    }

    @Test func `calls above the limit wait in order, and above that are refused`() throws {
        var limits = CoreLimits()
        limits.outgoingMax = 1
        limits.waitingMax = 2
        var client = ConnectionCore(role: .client, limits: limits, now: 0)
        let call = try client.sent()
        guard case .wait(let first) = client.opened(.unary),
            case .wait(let second) = client.opened(.unary)
        else { return }
        #expect(client.opened(.unary) == .refuse(.full))
        #expect(client.nextSendable() == nil)
        _ = try client.take(Sample.response(call.id))
        #expect(client.nextSendable() == first.slot)
        #expect(client.begin(first.slot, shape: .unary).id == 3)
        #expect(client.nextSendable() == nil)
        #expect(client.gaveUp(second) == false)
        #expect(client.waitingCount == 0)
    }

    @Test func `a data frame for a unary call of ours breaks it`() throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        let call = try client.sent()
        let got8 = try client.take(Frame(.data, stream: call.id, [1]))
        #expect(got8 == .broken(slot: call.key.slot))
        #expect(client.outgoing.count == 0)
    }

    @Test func `an unknown type breaks a known call of ours and is ignored otherwise`() throws {
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        let call = try client.sent()
        let type = FrameType(rawValue: 0x77)
        let got9 = try client.take(Frame(type, stream: 9))
        #expect(got9 == .none)
        let got10 = try client.take(Frame(type, stream: call.id))
        #expect(got10 == .broken(slot: call.key.slot))
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        let got11 = try server.take(Frame(type, stream: 1))
        #expect(got11 == .none)
        #expect(server.hasControl == false)
        let got12 = try server.take(Frame(type, stream: 0))
        #expect(got12 == .none)
        #expect(server.takeRefusals() == [0: .invalidArgument])
    }

    @Test func `a frame that was too long is refused with status 8`() throws {
        var server = ConnectionCore(role: .server, limits: .init(), now: 0)
        let header = FrameHeader(dataBytes: 5 << 20, stream: 1, type: .request)
        #expect(server.receivedOversized(header) == .none)
        #expect(server.takeRefusals() == [1: .resourceExhausted])
        var client = ConnectionCore(role: .client, limits: .init(), now: 0)
        let call = try client.sent()
        let reply = FrameHeader(dataBytes: 5 << 20, stream: call.id, type: .response)
        #expect(client.receivedOversized(reply) == .broken(slot: call.key.slot))
    }

    @Test func `a lost connection ends every call once, and says which were sent`() throws {
        var limits = CoreLimits()
        limits.outgoingMax = 2
        var client = ConnectionCore(role: .client, limits: limits, now: 0)
        _ = (try client.sent(), try client.sent(), client.opened(.unary))
        var cursor: UInt32 = 0
        var sent: [Bool] = []
        while let lost = client.nextLost(&cursor) { sent.append(lost.wasSent) }
        #expect(sent == [true, true, false])
        #expect(client.outgoing.count == 0)
        #expect(client.opened(.unary) == .refuse(.draining))
    }
}
