import HubTesting
import HubWorlds
import NetPollTesting
import Synchronization
import Testing
import WSFrame

@testable import Hub

@Suite("What waits for a store, on the simulated network")
struct StoreWaitingTests {
    private let large = HubMessage(text: String(repeating: "x", count: 64 << 10))
    private let refusal = StoreError(.unavailable, detail: "too much waits")

    private func bench(_ store: SlowStore) async throws -> LineBench {
        try await LineBench(loops: 1) {
            $0.store = store
            $0.inbox = InboxPolicy()
            $0.memoryBytesMax = 1_000_000
        }
    }

    /// A topic that was read, of a store that then answers nothing.
    private func heldTopic() async throws -> (SlowStore, LineBench, Topic) {
        let store = SlowStore()
        let bench = try await bench(store)
        let topic = try #require(bench.hub.topic("a"))
        bench.network.run(for: .seconds(1))
        store.hold()
        return (store, bench, topic)
    }

    @Test func `publications count, and are refused beyond a quarter of the memory ceiling`()
        async throws
    {
        let (store, bench, topic) = try await heldTopic()
        let outcomes = Mutex<[Result<PublishOutcome, StoreError>]>([])
        for _ in 0..<100 {
            topic.publish(Publication(large)) { outcome in
                outcomes.withLock { $0.append(outcome) }
            }
        }
        bench.network.run(for: .seconds(1))
        #expect(outcomes.withLock { $0 } == Array(repeating: .failure(refusal), count: 97))
        #expect(bench.hub.heldBytes == 3 * large.bytes)
        store.release()
        bench.network.run(for: .seconds(1))
        #expect(outcomes.withLock { $0.count } == 100)
        // Now the history has them.
        #expect(topic.position.offset == 3)
        #expect(bench.hub.heldBytes == 3 * large.bytes)
    }

    @Test func `deposits count, and are refused beyond a quarter of the memory ceiling`()
        async throws
    {
        let store = SlowStore()
        let bench = try await bench(store)
        store.holdDeposits()
        let outcomes = Mutex<[Result<InboxDeposited, StoreError>]>([])
        for _ in 0..<100 {
            bench.hub.deposit(large, for: "ann", idempotencyKey: nil, timeToLive: nil) { outcome in
                outcomes.withLock { $0.append(outcome) }
            }
        }
        bench.network.run(for: .seconds(1))
        #expect(outcomes.withLock { $0 } == Array(repeating: .failure(refusal), count: 97))
        #expect(bench.hub.heldBytes == 3 * (large.bytes + "ann".utf8.count))
        store.release()
        bench.network.run(for: .seconds(1))
        #expect(outcomes.withLock { $0.count } == 100)
        #expect(bench.hub.heldBytes == 0)
    }

    /// The words of the messages that the store has of topic a.
    private func stored(in store: SlowStore, _ bench: LineBench) async throws -> [[Substring]]? {
        let page = try await bench.wait {
            try await store.history(
                of: "a", after: nil, limit: PageLimit(), at: Timestamp(milliseconds: 0))
        }
        return page?.messages.map { $0.message.payload.text.split(separator: " ") }
    }

    @Test func `a message tells its right offset also behind one that was tried twice`()
        async throws
    {
        let (store, bench, topic) = try await heldTopic()
        var again = Publication(HubMessage(text: "again"))
        again.idempotencyKey = "k"
        let template = Publication(
            template: Array("at \(Publication.offsetPlaceholder)".utf8), kind: .text, offsetAt: 3)
        topic.publish(Publication(HubMessage(text: "first")))
        for publication in [again, again, template, template, again, template] {
            topic.publish(publication)
        }
        bench.network.run(for: .seconds(1))
        store.release()
        bench.network.run(for: .seconds(1))
        let texts = try await stored(in: store, bench)
        #expect(texts == [["first"], ["again"], ["at", "3"], ["at", "4"], ["at", "5"]])
    }

    @Test func `a message tells its right offset also behind a part that failed`() async throws {
        let (store, bench, topic) = try await heldTopic()
        var tried = Publication(HubMessage(text: "tried"))
        tried.idempotencyKey = "k"
        let template = Publication(
            template: Array("at \(Publication.offsetPlaceholder)".utf8), kind: .text, offsetAt: 3)
        topic.publish(Publication(HubMessage(text: "first")))
        // Parts: the one tried, a message and another one tried, and the last message.
        for publication in [tried, template, tried, template] { topic.publish(publication) }
        store.failingBatch = 3
        bench.network.run(for: .seconds(1))
        store.release()
        bench.network.run(for: .seconds(1))
        let texts = try await stored(in: store, bench)
        #expect(texts == [["first"], ["tried"], ["at", "3"]])
    }

    @Test func `clients that come and go leave nothing with a topic that cannot be read`()
        async throws
    {
        let store = SlowStore()
        store.hold()
        let bench = try await bench(store)
        for _ in 0..<300 {
            let client = try bench.join("ann")
            client.say("sub 1 a")
            bench.network.run(for: .milliseconds(10))
            client.peer.reset()
        }
        let ann = try bench.join("ann")
        #expect(bench.ask(ann, "sub 1 a") == [])
        let topic = try #require(bench.hub.topic("a"))
        #expect((1...65).contains(topic.state.withLock { $0.waiting.count }))
        store.release()
        bench.network.run(for: .seconds(1))
        #expect(ann.takeTexts().count { $0.hasPrefix("sub a ") } == 1)
        #expect(topic.state.withLock { $0.waiting.count } == 0)
    }

    @Test func `who is cancelled waits no more for a topic to be read`() async throws {
        let store = SlowStore()
        store.hold()
        let bench = try await bench(store)
        let hub = bench.hub
        let topic = try #require(hub.topic("a"))
        let (opening, asking) = (Told(), Told())
        let tasks = [
            Task(executorPreference: hub.firstLoop) {
                opening.tell(await hub.openTopic("a") != nil)
            },
            Task(executorPreference: hub.firstLoop) {
                asking.tell(await topic.attempted() == nil)
            },
        ]
        bench.network.run(for: .seconds(1))
        #expect(opening.answer == nil && asking.answer == nil)
        for task in tasks { task.cancel() }
        bench.network.run(for: .seconds(1))
        #expect(opening.answer == false && asking.answer == false)
        store.release()
        bench.network.run(for: .seconds(1))
    }
}

/// What a task was told.
private final class Told: Sendable {
    private let state = Mutex<Bool?>(nil)
    var answer: Bool? { state.withLock { $0 } }

    func tell(_ answer: Bool) { state.withLock { $0 = answer } }
}
