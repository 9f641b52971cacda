import HubWorlds
import NetPollTesting
import Testing

@testable import Hub

@Suite("Forgetting topics, on the simulated network")
struct TopicSweepTests {
    @Test func `very many topics are forgotten over several turns`() async throws {
        let bench = try await LineBench(loops: 1) { $0.topicIdleTimeout = .seconds(8) }
        for number in 0..<2_000 { _ = bench.hub.topic("\(number)") }
        let hasBegun = bench.network.run(within: .seconds(20)) { bench.hub.held.topics < 2_000 }
        #expect(hasBegun)
        #expect(bench.hub.held.topics > 1_000)
        bench.network.run(for: .milliseconds(100))
        #expect(bench.hub.held.topics == 0)
    }

    @Test func `what a topic remembers by its keys holds it as long as they do`() async throws {
        let bench = try await LineBench { $0.topicIdleTimeout = .seconds(8) }
        var publication = Publication(HubMessage(text: "x"))
        publication.idempotencyKey = "k"
        let first = try #require(bench.hub.topic("a")).publish(publication)
        bench.network.run(for: .seconds(120))
        #expect(try #require(bench.hub.topic("a")).publish(publication) == first)
        bench.network.run(for: .seconds(170))
        #expect(bench.hub.held.topics == 1)
        bench.network.run(for: .seconds(30))
        #expect(bench.hub.held.topics == 0)
    }
}
