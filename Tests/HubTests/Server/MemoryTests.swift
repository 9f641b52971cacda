import Hub
import HubTesting
import HubWorlds
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("A hub's memory ceiling, on the simulated network")
struct MemoryTests {
    private let text = String(repeating: "x", count: 1_000)

    private func isLetIn(_ bench: LineBench) throws -> Bool {
        let peer = try #require(bench.network.connect(to: bench.address))
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade("/ws?late", subprotocol: "lines.1")
        bench.network.run(for: .milliseconds(100))
        defer { peer.reset() }
        return client.isUpgraded
    }

    @Test func `first nobody is let in, then histories shrink, and all is well again after`()
        async throws
    {
        let bench = try await LineBench {
            $0.memoryBytesMax = 100_000
            $0.topic.historyMessagesMax = 80
            $0.topicIdleTimeout = .seconds(8)
        }
        let ann = try bench.join("ann")
        let topic = try #require(bench.hub.topic("a"))
        for _ in 0..<80 { topic.publish(Publication(HubMessage(text: text))) }
        #expect(try isLetIn(bench))
        let other = try #require(bench.hub.topic("b"))
        for _ in 0..<12 { other.publish(Publication(HubMessage(text: text))) }
        #expect(try !isLetIn(bench))
        #expect(topic.snapshot().messages.count == 80)
        for _ in 0..<20 { other.publish(Publication(HubMessage(text: text))) }
        #expect(other.snapshot().messages.count <= 20)
        bench.network.run(for: .seconds(3))
        #expect(topic.snapshot().messages.count == 20)
        #expect(try isLetIn(bench))
        #expect(bench.ask(ann, "ping 1") == ["pong 1"])
    }

    @Test func `what waits for slow subscribers shrinks, and is given back`() async throws {
        let bench = try await LineBench {
            $0.memoryBytesMax = 60_000
            $0.topic.historyMessagesMax = 0
            $0.topic.slowSubscribers = .skipToOldest
            $0.topic.waitingMessagesMax = 100
        }
        let slow = try bench.join("ann", windowBytes: 1 << 10)
        _ = bench.ask(slow, "sub 1 a")
        slow.peer.stall()
        let topic = try #require(bench.hub.topic("a"))
        for _ in 0..<100 {
            topic.publish(Publication(HubMessage(text: text), durability: .transient))
            bench.network.run(for: .milliseconds(1))
        }
        #expect(topic.metrics.skipped > 30)
        #expect(bench.hub.heldBytes < 70_000)
        slow.peer.reset()
        bench.network.run(for: .seconds(1))
        #expect(bench.hub.heldBytes == 0)
    }
}
