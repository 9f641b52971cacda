import Hub
import HubTesting
import HubWorlds
import NetPollTesting
import Testing

extension NodesTests {
    @Test func `what waits for the broker counts, and is refused beyond a quarter of the ceiling`()
        async throws
    {
        let nodes = try await Nodes { $0.memoryBytesMax = 1_000_000 }
        let topic = try #require(nodes.one.hub.topic("a"))
        nodes.settle()
        nodes.broker.latch.hold()
        let message = HubMessage(text: String(repeating: "x", count: 64 << 10))
        let publication = Publication(message, durability: .transient)
        let outcomes = (0..<100).map { _ in topic.publish(publication) }
        #expect(outcomes.count { $0 == .overloaded } == 97)
        nodes.settle()
        #expect(topic.metrics.refused == 97)
        #expect(nodes.one.hub.heldBytes == 3 * message.bytes)
        nodes.one.hub.send(message, to: Recipients(.everyone))
        nodes.settle()
        #expect(nodes.one.hub.heldBytes == 4 * message.bytes)
        nodes.broker.latch.release()
        nodes.settle()
        #expect(nodes.one.hub.heldBytes == 0)
    }

    @Test func `what the broker's queue refuses may be tried again`() async throws {
        let nodes = try await Nodes { $0.memoryBytesMax = 1_000_000 }
        let topic = try #require(nodes.one.hub.topic("a"))
        nodes.settle()
        nodes.broker.latch.hold()
        let text = String(repeating: "x", count: 64 << 10)
        let publication = Publication(HubMessage(text: text), durability: .transient)
        while topic.publish(publication) != .overloaded {}
        var again = publication
        again.idempotencyKey = "one"
        for _ in 0..<2 { #expect(topic.publish(again) == .overloaded) }
        nodes.broker.latch.release()
        nodes.settle()
        for _ in 0..<2 { #expect(topic.publish(again) == .published(nil)) }
    }

    @Test func `a notice of presence in the application's words stays on its node`() async throws {
        let (broker, store) = (FragileBroker(), SlowStore())
        let configure: (inout HubConfiguration) -> Void = {
            $0.broker = broker
            $0.store = store
        }
        let one = try await HubBench(configure)
        let other = try await HubBench(seed: 1, configure)
        func settle() {
            for _ in 0..<10 {
                one.network.run(for: .milliseconds(100))
                other.network.run(for: .milliseconds(100))
            }
        }
        for bench in [one, other] { _ = bench.hub.topic("a") }
        settle()
        let (ann, bob) = (try one.join(user: "ann"), try other.join(user: "bob"))
        for client in [ann, bob] { client.say("join a") }
        settle()
        #expect(ann.takeTexts().filter { $0.hasPrefix("who") } == ["who a 1 +ann -"])
        #expect(bob.takeTexts().filter { $0.hasPrefix("who") } == ["who a 1 +bob -"])
    }
}
