import HubTesting
import HubWorlds
import NetPollTesting
import Testing

@testable import Hub

@Suite("IdempotencyKeys")
struct IdempotencyKeysTests {
    private let now = Timestamp(milliseconds: 0)
    private let until = Timestamp(milliseconds: 100)

    @Test(arguments: [0, 1, 3, 4, 5])
    func `beyond the bound the oldest are forgotten`(keysMax: Int) {
        var keys = IdempotencyKeys<Int>(keysMax: keysMax)
        for number in 1...4 { keys.remember("\(number)", number, until: until, at: now) }
        let known = (1...4).compactMap { keys.value(of: "\($0)", at: now) }
        #expect(known == Array((1...4).suffix(keysMax)))
        #expect(keys.count == known.count)
    }

    @Test func `bytes are those of the keys that are remembered`() {
        typealias Keys = IdempotencyKeys<Int>
        var keys = Keys(keysMax: 2)
        keys.remember("ä", 1, until: until, at: now)
        keys.remember("ä", 2, until: until, at: now)
        #expect(keys.bytes == 2 + Keys.entryBytes)
        keys.remember("bcd", 3, until: until, at: now)
        keys.remember("e", 4, until: until, at: now)
        #expect(keys.bytes == 4 + 2 * Keys.entryBytes)
        keys.shrink(to: 1)
        #expect(keys.bytes == 1 + Keys.entryBytes)
        keys.removeExpired(at: until)
        #expect(keys.bytes == 0 && keys.count == 0)
    }
}

@Suite("Keys of a topic's publications, on the simulated network")
struct TopicKeysTests {
    private func bench(memoryBytesMax: Int = 1_000_000) async throws -> LineBench {
        try await LineBench {
            $0.memoryBytesMax = memoryBytesMax
            $0.topic.historyMessagesMax = 0
            $0.topic.idempotencyKeysMax = 100
            $0.topicIdleTimeout = .seconds(8)
        }
    }

    private func publish(
        _ number: Int, to topic: Topic, _ durability: Publication.Durability = .transient
    ) {
        var publication = Publication(HubMessage(text: "x"), durability: durability)
        publication.idempotencyKey = "\(number)".padding(to: 100)
        topic.publish(publication)
    }

    @Test func `they are bounded, count, and are given back when their time has passed`()
        async throws
    {
        let bench = try await bench()
        let topic = try #require(bench.hub.topic("a"))
        for number in 0..<100 { publish(number, to: topic) }
        bench.network.run(for: .milliseconds(100))
        let full = bench.hub.heldBytes
        #expect(full == 100 * (100 + IdempotencyKeys<PublishOutcome>.entryBytes))
        for number in 100..<300 { publish(number, to: topic) }
        bench.network.run(for: .milliseconds(100))
        #expect(bench.hub.heldBytes == full)
        #expect(topic.metrics.published == 300)
        publish(200, to: topic)
        #expect(topic.metrics.published == 300)
        // It was forgotten.
        publish(199, to: topic)
        #expect(topic.metrics.published == 301)
        bench.network.run(for: .seconds(310))
        #expect(bench.hub.heldBytes == 0)
    }

    @Test func `those of volatile publications are passed over`() async throws {
        let bench = try await bench()
        let topic = try #require(bench.hub.topic("a"))
        for _ in 0..<3 { publish(1, to: topic, .volatile) }
        bench.network.run(for: .milliseconds(100))
        #expect(topic.metrics.published == 3)
        #expect(bench.hub.heldBytes == 0)
    }

    @Test func `they are kept to a part of their bound where memory is short`() async throws {
        let bench = try await bench(memoryBytesMax: 10_000)
        let topic = try #require(bench.hub.topic("a"))
        for number in 0..<100 { publish(number, to: topic) }
        bench.network.run(for: .seconds(3))
        #expect(bench.hub.heldBytes <= 10_000)
        // The newest are still known.
        publish(99, to: topic)
        #expect(topic.metrics.published == 100)
    }
}

extension String {
    fileprivate func padding(to count: Int) -> String {
        self + String(repeating: "k", count: count - self.count)
    }
}
