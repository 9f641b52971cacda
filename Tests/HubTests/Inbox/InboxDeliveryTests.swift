import NetPoll
import Testing

@testable import Hub

@Suite("InboxDelivery")
struct InboxDeliveryTests {
    private func message(_ id: UInt64, attempts: Int = 0) -> InboxMessage {
        InboxMessage(
            id: InboxID(rawValue: id), message: HubMessage(text: "m"),
            time: Timestamp(milliseconds: 0), expiry: nil, attempts: attempts)
    }

    private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    @Test func `the time to acknowledge doubles up to its bound`() {
        let policy = InboxPolicy()
        #expect(policy.patience(afterAttempt: 1) == .seconds(5))
        #expect(policy.patience(afterAttempt: 2) == .seconds(10))
        #expect(policy.patience(afterAttempt: 6) == .seconds(160))
        #expect(policy.patience(afterAttempt: 7) == .seconds(300))
        #expect(policy.patience(afterAttempt: 1_000) == .seconds(300))
    }

    @Test func `a message is sent again when it is due, and left until then`() {
        var delivery = InboxDelivery(policy: InboxPolicy())
        #expect(delivery.read(message(1), at: at(0)) == .send)
        #expect(delivery.read(message(1, attempts: 1), at: at(4)) == .leave)
        #expect(delivery.firstDue(at: at(4)) == nil)
        #expect(delivery.firstDue(at: at(5)) == InboxID(rawValue: 1))
        #expect(delivery.read(message(1, attempts: 1), at: at(5)) == .send)
        #expect(delivery.nextDue == at(15))
    }

    @Test func `what was acknowledged while it was read is not sent`() {
        var delivery = InboxDelivery(policy: InboxPolicy())
        _ = delivery.read(message(3), at: at(0))
        let acknowledged = [3, 3].map { delivery.acknowledged(InboxID(rawValue: $0)) }
        #expect(acknowledged == [.inTime, .unknown])
        #expect(delivery.read(message(3), at: at(9)) == .leave)
        #expect(delivery.read(message(4), at: at(9)) == .send)
    }

    @Test func `what the client has and could not be noted is due again`() {
        var delivery = InboxDelivery(policy: InboxPolicy())
        _ = delivery.read(message(3), at: at(0))
        _ = delivery.acknowledged(InboxID(rawValue: 3))
        delivery.acknowledgementLost(InboxID(rawValue: 3), at: at(10))
        #expect(delivery.read(message(3, attempts: 1), at: at(14)) == .leave)
        #expect(delivery.nextDue == at(15))
        #expect(delivery.read(message(3, attempts: 1), at: at(15)) == .send)
    }

    @Test func `what is due is put off, and nothing else`() {
        var delivery = InboxDelivery(policy: InboxPolicy())
        for id: UInt64 in 1...2 { _ = delivery.read(message(id), at: at(Int64(id) * 3)) }
        delivery.putOff(dueAt: at(8))
        #expect(delivery.nextDue == at(11))
        #expect(delivery.firstDue(at: at(11)) == InboxID(rawValue: 2))
        #expect(delivery.read(message(1, attempts: 1), at: at(12)) == .leave)
        #expect(delivery.read(message(1, attempts: 1), at: at(13)) == .send)
    }

    @Test func `what was delivered too often is quarantined`() {
        var policy = InboxPolicy()
        policy.attemptsMax = 2
        var delivery = InboxDelivery(policy: policy)
        #expect(delivery.read(message(1, attempts: 1), at: at(0)) == .send)
        #expect(delivery.read(message(1, attempts: 2), at: at(99)) == .quarantine)
        #expect(delivery.count == 0)
        let acknowledged = [1, 1, 2].map { delivery.acknowledged(InboxID(rawValue: $0)) }
        #expect(acknowledged == [.late, .unknown, .unknown])
    }

    @Test func `of what was quarantined no more is remembered than may be open`() {
        var policy = InboxPolicy()
        policy.attemptsMax = 1
        policy.unacknowledgedMax = 2
        var delivery = InboxDelivery(policy: policy)
        for id: UInt64 in 1...3 {
            _ = delivery.read(message(id), at: at(0))
            #expect(delivery.read(message(id, attempts: 1), at: at(99)) == .quarantine)
        }
        let acknowledged = [1, 2, 3].map { delivery.acknowledged(InboxID(rawValue: $0)) }
        #expect(acknowledged == [.unknown, .late, .late])
    }

    @Test func `what is due and gone is forgotten, from where the page began to where it ended`() {
        var delivery = InboxDelivery(policy: InboxPolicy())
        for id: UInt64 in 1...4 { _ = delivery.read(message(id), at: at(Int64(id))) }
        delivery.forget(dueAt: at(7), after: nil, upTo: InboxID(rawValue: 1))
        #expect(delivery.count == 3)
        delivery.forget(dueAt: at(7), after: InboxID(rawValue: 2), upTo: nil)
        #expect(delivery.count == 3)
        delivery.forget(dueAt: at(7), after: nil, upTo: nil)
        #expect(delivery.count == 2)
    }

    @Test func `what is deposited while the store is asked is read afterwards`() {
        var delivery = InboxDelivery(policy: InboxPolicy())
        delivery.beganReading()
        delivery.changed()
        #expect(!delivery.wantsMore)
        delivery.endedReading()
        // The page is from before the deposit.
        delivery.readAll(hasMore: false)
        #expect(delivery.wantsMore)
        delivery.beganReading()
        delivery.endedReading()
        delivery.readAll(hasMore: false)
        #expect(!delivery.wantsMore)
    }
}
