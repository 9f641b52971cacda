import HubTesting
import HubWorlds
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame

@testable import Hub

@Suite("Surveys of a hub, on the simulated network")
struct SurveyTests {
    private func survey(of bench: LineBench, top: Int = 5) async throws -> HubSurvey {
        let hub = bench.hub
        return try await bench.wait { await hub.survey(top: top) }
    }

    @Test func `sessions and topics of all loops are counted, the largest topics named`()
        async throws
    {
        let bench = try await LineBench(loops: 2) { $0.topic.presence = .nobody }
        let clients = try (0..<6).map { try bench.join("u\($0)") }
        for (index, client) in clients.enumerated() {
            _ = bench.ask(client, "sub 1 all")
            if index < 3 { _ = bench.ask(client, "sub 2 half") }
            _ = bench.ask(client, "sub 3 own\(index)")
        }
        try #require(bench.hub.existingTopic("half")).publish(Publication(HubMessage(text: "x")))
        bench.network.run(for: .milliseconds(100))
        let found = try await survey(of: bench, top: 2)
        #expect(found.topics == 8)
        #expect(found.named.map(\.name) == ["all", "half"])
        #expect(found.named.map(\.subscribers) == [6, 3])
        #expect(found.messages.delivered == bench.hub.totals.messages.delivered)
        #expect(found.named[1].metrics.published == 1)
        #expect(found.loops.map(\.index) == [0, 1])
        #expect(found.loops.map(\.sessions).reduce(0, +) == 6)
        #expect(found.slowSessions == 0 && found.queuedBytes == 0 && found.behind == 0)
    }

    @Test func `what waits is counted, and the slowest sessions named`() async throws {
        let bench = try await LineBench(loops: 1) { $0.topic.presence = .nobody }
        let clients = try (0..<5).map { try bench.join("u\($0)", windowBytes: 1 << 10) }
        for client in clients {
            _ = bench.ask(client, "sub 1 a")
            client.peer.stall()
        }
        let ids = bench.application.ids.withLock { $0 }
        let text = String(repeating: "x", count: 3_000)
        for round in 1...3 {
            for id in ids[..<round] { bench.hub.send(HubMessage(text: text), to: [id]) }
            bench.network.run(for: .milliseconds(10))
        }
        try #require(bench.hub.existingTopic("a")).publish(Publication(HubMessage(text: text)))
        bench.network.run(for: .milliseconds(10))
        let found = try await survey(of: bench, top: 2)
        #expect(found.slowSessions >= 3)
        #expect(found.slowest.map(\.user) == ["u0", "u1"])
        #expect(found.slowest[0].waitingBytes > found.slowest[1].waitingBytes)
        #expect(found.slowest[0].waitingMessages == 2 && found.aloneMessages == 3)
        #expect(found.queuedBytes > 3_000)
        #expect(found.behind >= 3 && found.topicMessages == 1)
        #expect(found.topicBytes >= 3_000)
        #expect(found.named.first?.behind == found.behind)
    }

    @Test func `what became of inboxes' messages is counted`() async throws {
        let bench = try await LineBench(loops: 2) { $0.inbox = InboxPolicy() }
        let clients = try ["ann", "ann", "bob"].map { try bench.join($0) }
        let campaign = bench.hub.campaign(
            HubMessage(text: "x"), toInboxesOf: ["ann", "bob", "eve"], rate: 100)
        bench.network.run(for: .seconds(1))
        #expect(campaign.progress.state == .finished)
        let words = try #require(clients[2].takeTexts().last).split(separator: " ")
        _ = bench.ask(clients[2], "ack \(words[1])")
        var found = try await survey(of: bench)
        #expect(found.inboxes.given == 3 && found.inboxes.repeated == 0)
        #expect(found.inboxes.acknowledged == 1)
        bench.network.run(for: .seconds(6))
        found = try await survey(of: bench)
        #expect(found.inboxes.given == 5 && found.inboxes.repeated == 2)
    }

    @Test func `a turn looks at no more than its share`() async throws {
        let bench = try await LineBench(loops: 1)
        for number in 0..<(ShardSurvey.itemsPerTurn * 2 + 1) {
            _ = bench.hub.topic("t\(number)")
        }
        let before = bench.hub.firstLoop.clockNow
        let found = try await survey(of: bench, top: 3)
        #expect(found.topics == ShardSurvey.itemsPerTurn * 2 + 1)
        #expect(found.named.count == 3)
        // Sessions, parts, and three turns for the topics, a millisecond between each.
        #expect(bench.hub.firstLoop.clockNow - before >= .milliseconds(4))
    }

    @Test func `what slow sessions subscribe to counts as its turn's share`() async throws {
        let bench = try await LineBench(loops: 1) { $0.topic.presence = .nobody }
        let clients = try (0..<18).map { try bench.join("u\($0)", windowBytes: 1 << 10) }
        for client in clients {
            for number in 0..<100 { client.say("sub \(number) t\(number)") }
        }
        bench.network.run(for: .seconds(1))
        for client in clients { client.peer.stall() }
        let text = String(repeating: "x", count: 3_000)
        for id in bench.application.ids.withLock({ $0 }) {
            for _ in 0..<2 { bench.hub.send(HubMessage(text: text), to: [id]) }
        }
        bench.network.run(for: .milliseconds(10))
        let before = bench.hub.firstLoop.clockNow
        let found = try await survey(of: bench)
        #expect(found.slowSessions == 18)
        // Six sessions with a hundred subscriptions are more than 512: three turns, then two.
        #expect(bench.hub.firstLoop.clockNow - before >= .milliseconds(4))
    }
}
