import Testing

@testable import Hub

@Suite("What a subscription takes")
struct SubscriptionMemoryTests {
    @Test func `each further one takes at most 48 bytes, room to grow included`() {
        let inPart = MemoryLayout<TopicPart.Subscriber>.stride
        let inSession = MemoryLayout<Session.Subscription>.stride
        #expect(inPart == 24)
        #expect(inSession == 8)
        // A part's list grows by a quarter, a session's by as much as it holds.
        #expect(inPart + inPart / 4 + 2 * inSession <= 48)
    }

    @Test(arguments: [
        Cursor.State.live, .waiting(0), .waiting(1 << 62), .catchingUp(0), .catchingUp(1 << 62),
    ])
    func `a cursor keeps its state in 8 bytes`(state: Cursor.State) {
        #expect(Cursor(state).state == state)
        #expect(Cursor(state).isLive == (state == .live))
        #expect(MemoryLayout<Cursor>.size == 8)
    }
}
