import GRDB
import Hub
import HubTesting
import Testing

@testable import HubSQLite

@Suite("SQLiteMessageStore", .timeLimit(.minutes(10)))
struct SQLiteMessageStoreTests {
    private let now = Timestamp(milliseconds: 1_700_000_000_000)
    private let file: StoreFile

    init() throws {
        file = try StoreFile()
    }

    private func entry(_ topic: String, _ text: String) -> HistoryAppend {
        HistoryAppend(
            topic: topic, message: HubMessage(text: text), epochIfNew: Epoch(rawValue: 7))
    }

    @Test(arguments: MessageStoreSuite.checks)
    func `it keeps the rule`(check: ConformanceCheck<any MessageStore>) async throws {
        let store = try file.open()
        try await check.run(store)
        await store.close()
    }

    @Test func `what was answered is there when the file is opened again`() async throws {
        let first = try file.open()
        _ = try await first.append([entry("a", "1"), entry("a", "2")], at: now)
        let deposits = (1...3).map {
            InboxDeposit(user: "ann", message: HubMessage(text: "\($0)"), idempotencyKey: "\($0)")
        }
        let answers = try await first.deposit(deposits, at: now)
        guard case .stored(let id) = answers[0] else { throw StoreError(.damaged) }
        try await first.acknowledge([InboxReference(user: "ann", id: id)])
        await first.close()

        let second = try file.open()
        let known = TopicPosition(epoch: Epoch(rawValue: 7), offset: 1)
        let page = try await second.history(of: "a", after: known, limit: .init(), at: now)
        #expect(page?.isRecovered == true)
        #expect(page?.messages.map(\.message.payload.text) == ["2"])
        let inbox = try await second.unacknowledged(
            of: "ann", after: nil, limit: .init(), at: now)
        #expect(inbox.messages.map(\.message.payload.text) == ["2", "3"])
        #expect(try await second.deposit([deposits[0]], at: now) == [.duplicate(id)])
        let next = try await second.append([entry("a", "3")], at: now)
        #expect(next[0].position == TopicPosition(epoch: Epoch(rawValue: 7), offset: 3))
        await second.close()
    }

    @Test(arguments: [(SQLiteMessageStore.Configuration.Synchronization.disk, 2), (.process, 1)])
    func `a commit waits for the disk where it is to`(
        synchronization: SQLiteMessageStore.Configuration.Synchronization, level: Int
    ) async throws {
        var configuration = SQLiteMessageStore.Configuration()
        configuration.synchronization = synchronization
        let store = try file.open(configuration)
        #expect(try await store.synchronousLevel() == level)
        await store.close()
    }

    @Test func `calls that come together share commits`() async throws {
        let store = try file.open()
        try await withThrowingTaskGroup { group in
            for number in 0..<500 {
                group.addTask { _ = try await store.append([entry("a", "\(number)")], at: now) }
            }
            try await group.waitForAll()
        }
        #expect(store.commits < 500)
        let page = try await store.history(of: "a", after: nil, limit: .init(), at: now)
        #expect(page?.end.offset == 500)
        await store.close()
    }

    @Test func `a commit takes no more writes than it may`() async throws {
        var configuration = SQLiteMessageStore.Configuration()
        configuration.writesPerCommitMax = 1
        let store = try file.open(configuration)
        try await withThrowingTaskGroup { group in
            for number in 0..<20 {
                group.addTask { _ = try await store.append([entry("a", "\(number)")], at: now) }
            }
            try await group.waitForAll()
        }
        #expect(store.commits == 20)
        await store.close()
    }

    @Test func `writes beyond those that may wait are refused`() async throws {
        var configuration = SQLiteMessageStore.Configuration()
        configuration.waitingWritesMax = 1
        configuration.writesPerCommitMax = 1
        let store = try file.open(configuration)
        let outcomes = await withTaskGroup(of: StoreError?.self) { group in
            for number in 0..<200 {
                group.addTask {
                    do throws(StoreError) {
                        _ = try await store.append([entry("a", "\(number)")], at: now)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let stored = outcomes.count { $0 == nil }
        #expect(outcomes.allSatisfy { $0 == nil || $0?.reason == .unavailable })
        #expect(stored < 200)
        let page = try await store.history(of: "a", after: nil, limit: .init(), at: now)
        #expect(page?.end.offset == UInt64(stored))
        await store.close()
    }

    @Test func `a full file refuses a batch whole, serves what it has, and takes what fits`()
        async throws
    {
        var configuration = SQLiteMessageStore.Configuration()
        configuration.fileBytesMax = 1 << 20
        let store = try file.open(configuration)
        let large = String(repeating: "x", count: 100_000)
        var stored = 0
        while true {
            do throws(StoreError) {
                let batch = [entry("a\(stored)", "first"), entry("b\(stored)", large)]
                _ = try await store.append(batch, at: now)
                stored += 1
            } catch {
                #expect(error.reason == .full)
                break
            }
        }
        #expect(stored > 5)
        let half = try await store.history(of: "a\(stored)", after: nil, limit: .init(), at: now)
        #expect(half == nil)
        let kept = try await store.history(of: "b0", after: nil, limit: .init(), at: now)
        #expect(kept?.messages.count == 1)
        try await store.removeHistory(of: "b0")
        _ = try await store.append([entry("c", "fits")], at: now)
        await store.close()
    }

    @Test func `a file that is no store is damaged, and is left as it was`() throws {
        file.write(Array(repeating: 0x41, count: 4_096))
        let error = #expect(throws: StoreError.self) { try file.open() }
        #expect(error?.reason == .damaged)
    }

    @Test func `a path that cannot be opened is unavailable`() {
        let error = #expect(throws: StoreError.self) {
            try SQLiteMessageStore(path: "\(file.path)/none/hub.sqlite")
        }
        #expect(error?.reason == .unavailable)
    }

    @Test func `a file that a store uses is refused to another, until that is closed`() async throws
    {
        let first = try file.open()
        let error = #expect(throws: StoreError.self) { try file.open() }
        #expect(error?.reason == .unavailable)
        _ = try await first.append([entry("a", "x")], at: now)
        await first.close()
        let second = try file.open()
        let kept = try await second.history(of: "a", after: nil, limit: .init(), at: now)
        #expect(kept?.messages.count == 1)
        await second.close()
    }

    @Test func `a store of a later version is refused`() async throws {
        let store = try file.open()
        await store.close()
        let queue = try DatabaseQueue(path: file.path)
        try await queue.write {
            try $0.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('99')")
        }
        try queue.close()
        let error = #expect(throws: StoreError.self) { try file.open() }
        #expect(error?.reason == .damaged)
    }

    @Test func `sweeping removes keys and empty inboxes, whatever their number`() async throws {
        let store = try file.open()
        let deposits = (0..<1_200).map {
            InboxDeposit(
                user: "user \($0)", message: HubMessage(text: "x"), expiry: now + .seconds(1),
                idempotencyKey: "k")
        }
        _ = try await store.deposit(deposits, at: now)
        #expect(try await store.removeExpired(at: now + .seconds(1)) == 1_200)
        _ = try await store.removeExpired(at: now + .seconds(7_200))
        await store.close()
        let queue = try DatabaseQueue(path: file.path)
        let left = try await queue.read { database in
            try ["inbox", "inbox_key", "inbox_message"].map {
                try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM \($0)")
            }
        }
        #expect(left == [0, 0, 0])
    }

    @Test func `writes that wait when the store is closed are done`() async throws {
        let store = try file.open()
        async let first = store.append([entry("a", "1")], at: now)
        async let second = store.append([entry("b", "1")], at: now)
        await store.close()
        for answer in [try? await first, try? await second] {
            #expect(answer == nil || answer?.count == 1)
        }
        await #expect(throws: StoreError.self) {
            try await store.history(of: "a", after: nil, limit: .init(), at: now)
        }
    }
}
