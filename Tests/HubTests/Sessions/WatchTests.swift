import Hub
import HubTesting
import HubWorlds
import NetPollTesting
import Synchronization
import Testing
import WSFrame

@Suite("Watching sessions, on the simulated network")
struct WatchTests {
    private func watch(_ id: SessionID, in bench: LineBench) async throws -> SessionView? {
        let hub = bench.hub
        return try await bench.wait { await hub.watch([id]).first }
    }

    private func newestID(in bench: LineBench) throws -> SessionID {
        try #require(bench.application.ids.withLock { $0.last })
    }

    @Test func `the ledger counts what a session says and is sent, from the first look on`()
        async throws
    {
        let bench = try await LineBench {
            $0.inbox = InboxPolicy()
            $0.topic.presence = .nobody
        }
        let ann = try bench.join("ann/phone")
        let id = try newestID(in: bench)
        _ = bench.ask(ann, "sub 1 a")
        _ = bench.ask(ann, "ping 2")
        let first = try #require(try await watch(id, in: bench))
        #expect(first.ledger == SessionLedger())
        #expect(first.user == "ann" && first.device == "phone" && first.spoken == "lines.1")
        #expect(first.topicCount == 1 && first.topics.map(\.name) == ["a"])
        _ = bench.ask(ann, "ping 3")
        let topic = try #require(bench.hub.existingTopic("a"))
        for text in ["one", "two", "three"] { topic.publish(Publication(HubMessage(text: text))) }
        let hub = bench.hub
        let deposited = try await bench.wait {
            try await hub.deposit(HubMessage(text: "kept"), for: "ann", idempotencyKey: nil)
        }
        bench.network.run(for: .seconds(5.5))
        let shown = try #require(try await watch(id, in: bench))
        #expect(shown.unacknowledged == 1)
        guard case .stored(let message) = deposited else {
            Issue.record("\(deposited)")
            return
        }
        _ = bench.ask(ann, "ack \(message)")
        let last = try #require(try await watch(id, in: bench))
        var expected = SessionLedger()
        expected.received = 2
        expected.live = 3
        // The pong, and the message of the inbox, which came again.
        expected.alone = 3
        expected.given = 2
        expected.repeated = 1
        expected.acknowledged = 1
        #expect(last.ledger == expected)
        #expect(last.unacknowledged == 0)
        // Topics that are joined later count, too.
        _ = bench.ask(ann, "sub 4 b")
        try #require(bench.hub.existingTopic("b")).publish(Publication(HubMessage(text: "x")))
        bench.network.run(for: .milliseconds(100))
        #expect(try await watch(id, in: bench)?.ledger.live == 4)
    }

    @Test(arguments: [
        (SlowSubscriberPolicy.catchUp, 100 as UInt64, 0 as UInt64), (.skipToLatest, 0, 100),
    ])
    func `what a slow session got late, and what it did not get, stands in its ledger`(
        policy: SlowSubscriberPolicy, late: UInt64, skipped: UInt64
    ) async throws {
        let bench = try await LineBench(loops: 1) {
            $0.topic.slowSubscribers = policy
            $0.topic.presence = .nobody
            $0.topic.historyMessagesMax = 1_000
            $0.topic.historyBytesMax = 10 << 20
            $0.topic.waitingMessagesMax = 10
        }
        let ann = try bench.join("ann", windowBytes: 4 << 10)
        let id = try newestID(in: bench)
        _ = bench.ask(ann, "sub 1 a")
        _ = try await watch(id, in: bench)
        let topic = try #require(bench.hub.existingTopic("a"))
        ann.peer.stall()
        for number in 0..<200 {
            let text = "\(number) " + String(repeating: "x", count: 1_000)
            topic.publish(Publication(HubMessage(text: text)))
            bench.network.run(for: .milliseconds(1))
        }
        let waiting = try #require(try await watch(id, in: bench))
        #expect(waiting.ledger.fellBehind > 0)
        #expect(waiting.queuedBytes > 0)
        bench.hub.send(HubMessage(text: "alone"), to: [id])
        bench.network.run(for: .milliseconds(1))
        let queued = try #require(try await watch(id, in: bench))
        #expect(queued.ledger.queued == 1 && queued.waiting.messages == 1)
        ann.peer.resume()
        bench.network.run(for: .seconds(5))
        let last = try #require(try await watch(id, in: bench)).ledger
        #expect(last.live + last.late + last.skipped == 200)
        #expect(last.late >= late && last.skipped >= skipped)
        #expect(late == 0 || last.skipped == 0)
        #expect(last.alone == 1)
    }

    @Test func `a ledger is forgotten a minute after the last look`() async throws {
        let bench = try await LineBench(loops: 1)
        let ann = try bench.join("ann")
        let id = try newestID(in: bench)
        _ = try await watch(id, in: bench)
        _ = bench.ask(ann, "ping 1")
        bench.network.run(for: .seconds(50))
        #expect(try await watch(id, in: bench)?.ledger.received == 1)
        bench.network.run(for: .seconds(50))
        #expect(try await watch(id, in: bench)?.ledger.received == 1)
        bench.network.run(for: .seconds(120))
        #expect(try await watch(id, in: bench)?.ledger.received == 0)
    }

    @Test func `so many sessions of a loop are watched, and those that end make room`()
        async throws
    {
        let bench = try await LineBench(loops: 1)
        let clients = try (0...HubServer.watchedPerLoopMax).map { try bench.join("u\($0)") }
        let ids = bench.application.ids.withLock { $0 }
        let hub = bench.hub
        let views = try await bench.wait { await hub.watch(ids) }
        #expect(views.count == HubServer.watchedPerLoopMax)
        #expect(views.map(\.id) == Array(ids.dropLast()))
        clients[0].peer.reset()
        bench.network.run(for: .milliseconds(100))
        #expect(try await watch(ids[0], in: bench) == nil)
        #expect(try await watch(try #require(ids.last), in: bench) != nil)
    }

    @Test(arguments: ["", "1", "1-2", "1-2-3-4", "a-1-1", "1--1", "70000-0-0", "0-0--1"])
    func `what is no session's name is none`(text: String) {
        #expect(SessionID(text) == nil)
    }

    @Test func `a session's name is read as it is written`() async throws {
        let bench = try await LineBench()
        _ = try bench.join("ann")
        let id = try newestID(in: bench)
        #expect(SessionID("\(id)") == id)
        // Of a loop that this hub has not.
        let other = try #require(SessionID("999-0-0"))
        #expect(try await watch(other, in: bench) == nil)
    }
}
