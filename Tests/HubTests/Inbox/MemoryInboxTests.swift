import Testing

@testable import Hub

@Suite("MemoryMessageStore's inboxes")
struct MemoryInboxTests {
    @Test func `a user is forgotten when nothing waits and no key is remembered`() async throws {
        let noon = Timestamp(milliseconds: 1_700_000_000_000)
        let store = MemoryMessageStore()
        var deposit = InboxDeposit(
            user: "ann", message: HubMessage(text: "x"), idempotencyKey: "k")
        deposit.idempotencyWindow = .seconds(10)
        guard case .stored(let id) = try await store.deposit([deposit], at: noon)[0] else {
            Issue.record("it was not stored")
            return
        }
        try await store.removeExpired(at: noon + .seconds(20))
        #expect(store.inboxCount == 1)
        _ = try await store.deposit([deposit], at: noon + .seconds(20))
        try await store.acknowledge([InboxReference(user: "ann", id: id)])
        let rest = try await store.unacknowledged(
            of: "ann", after: nil, limit: .init(), at: noon + .seconds(20))
        try await store.acknowledge(rest.messages.map { InboxReference(user: "ann", id: $0.id) })
        try await store.removeExpired(at: noon + .milliseconds(29_999))
        #expect(store.inboxCount == 1)
        try await store.removeExpired(at: noon + .seconds(30))
        #expect(store.inboxCount == 0)
    }
}
