import HubTesting
import HubWorlds
import NetPollTesting
import Testing

@testable import Hub

@Suite("Messages that grow old, on the simulated network")
struct HistoryAgeTests {
    /// What finds out that a message is too old.
    enum Asker: CaseIterable, Sendable {
        case snapshot
        case history
        case subscriber
        case follower
        case catchingUp
        case publisher
        case sweep
    }

    @Test(arguments: Asker.allCases, [StoreDurability.process, .durable])
    func `one that is too old is told to nobody, and its memory given back`(
        asker: Asker, durability: StoreDurability
    ) async throws {
        let bench = try await LineBench(loops: 1) {
            $0.store = SlowStore(durability: durability)
            $0.topic.historyAge = .seconds(60)
            $0.topicIdleTimeout = asker == .sweep ? .seconds(8) : .seconds(36_000)
            $0.memoryBytesMax = 1 << 20
        }
        let topic = try #require(bench.hub.topic("a"))
        bench.network.run(for: .seconds(1))
        topic.publish(Publication(HubMessage(text: "message")))
        bench.network.run(for: .seconds(59))
        #expect(topic.snapshot().messages.count == 1)
        bench.network.run(for: .seconds(4))
        ask(asker, topic)
        bench.network.run(for: .milliseconds(100))
        #expect(bench.hub.heldBytes == (asker == .publisher ? "next".utf8.count : 0))
        #expect(topic.position.offset == (asker == .publisher ? 2 : 1))
    }

    private func ask(_ asker: Asker, _ topic: Topic) {
        let start = TopicPosition(epoch: topic.epoch, offset: 0)
        switch asker {
        case .snapshot:
            #expect(topic.snapshot(after: start).messages.isEmpty)
        case .history:
            #expect(topic.history(after: nil, limit: PageLimit()).messages.isEmpty)
        case .subscriber:
            let join = topic.attach(loop: 0, isFirst: true, after: start, usersMax: 0)
            #expect(join.entries.isEmpty && !join.isRecovered)
        case .follower:
            #expect(!topic.attach(loop: 0, isFirst: true, following: start).isRecovered)
        case .catchingUp:
            let read = topic.read(after: 0, bytesMax: 1_000)
            #expect(read.messages.isEmpty && read.gone == 1)
        case .publisher:
            topic.publish(Publication(HubMessage(text: "next")))
        case .sweep:
            break
        }
    }
}
