import Hub
import HubTesting
import PushWire
import Testing
import WSFrame

@Suite("The seams' defaults, by the suites that all implementations pass")
struct ConformanceTests {
    @Test(arguments: MessageStoreSuite.checks)
    func `the store in memory keeps the rule`(
        check: ConformanceCheck<any MessageStore>
    ) async throws {
        try await check.run(MemoryMessageStore())
    }

    @Test func `a store in memory gives no id of a process before it`() async throws {
        let noon = Timestamp(milliseconds: 1_700_000_000_000)
        var ids: [InboxDeposited] = []
        for second in 0..<3 {
            let store = MemoryMessageStore()
            let batch = ["ann", "bob", "ann"].map {
                InboxDeposit(user: $0, message: HubMessage(text: "x"))
            }
            ids += try await store.deposit(batch, at: noon + .seconds(second))
        }
        #expect(Set(ids).count == 9)
    }

    @Test(.timeLimit(.minutes(10)), arguments: BrokerSuite.checks)
    func `the broker of one process keeps the rule`(
        check: ConformanceCheck<any Broker>
    ) async throws {
        try await check.run(InProcessBroker())
    }

    @Test(arguments: ClientProtocolSuite.checks)
    func `bare messages keep the rule`(
        check: ConformanceCheck<any Hub.ClientProtocol>
    ) async throws {
        try await check.run(RawProtocol())
    }

    @Test(arguments: ClientProtocolSuite.checks)
    func `the push server's protocol keeps the rule`(
        check: ConformanceCheck<any Hub.ClientProtocol>
    ) async throws {
        try await check.run(DeviceProtocol())
    }

    @Test func `a broken store is found out`() async throws {
        var failures = 0
        for check in MessageStoreSuite.checks {
            do { try await check.run(ForgetfulStore()) } catch { failures += 1 }
        }
        #expect(failures > 10)
    }
}

/// Breaks rules: forgets keys, limits and acknowledgements.
private final class ForgetfulStore: MessageStore {
    private let store = MemoryMessageStore()

    var durability: StoreDurability { .process }

    func append(
        _ batch: [HistoryAppend], at now: Timestamp
    ) async throws(StoreError) -> [HistoryAppended] {
        let plain = batch.map { entry in
            HistoryAppend(topic: entry.topic, message: entry.message, epochIfNew: entry.epochIfNew)
        }
        return try await store.append(plain, at: now)
    }

    func history(
        of topic: String, after position: TopicPosition?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> HistoryPage? {
        try await store.history(of: topic, after: position, limit: limit, at: now)
    }

    func removeHistory(of topic: String) async throws(StoreError) {}

    func deposit(
        _ batch: [InboxDeposit], at now: Timestamp
    ) async throws(StoreError) -> [InboxDeposited] {
        try await store.deposit(
            batch.map { InboxDeposit(user: $0.user, message: $0.message) }, at: now)
    }

    func unacknowledged(
        of user: String, after id: InboxID?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage {
        try await store.unacknowledged(of: user, after: id, limit: limit, at: now)
    }

    func acknowledge(_ batch: [InboxReference]) async throws(StoreError) {}
    func countAttempts(_ batch: [InboxReference]) async throws(StoreError) {}
    func quarantine(_ batch: [InboxReference]) async throws(StoreError) {}

    func quarantined(
        of user: String, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage {
        try await store.quarantined(of: user, limit: limit, at: now)
    }

    func removeExpired(at now: Timestamp) async throws(StoreError) -> Int { 0 }
    func close() async {}
}
