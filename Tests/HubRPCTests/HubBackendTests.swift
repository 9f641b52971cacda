import Hub
import HubHTTP
import HubRPC
import HubTesting
import RPC
import Testing

@Suite("The backend by RPC, on the simulated network")
struct HubBackendTests {
    @Test func `a publication reaches subscribers, and stands in the history as it was sent`()
        async throws
    {
        let bench = try await BackendBench()
        let ann = try bench.join("ann")
        ann.say("sub 1 news")
        bench.world.run(for: .seconds(1))
        _ = ann.takeTexts()
        let data = Payload(Array(#"{ "a": [1, "}"]}"#.utf8), format: .json)
        let message = HubMessage(data, event: "e", key: "k")
        let published = try bench.call(
            HubBackend.publish, PublishCommand(topic: "news", message))
        #expect(published.position?.offset == 1)
        #expect(ann.takeTexts() == [#"pub news 1 - { "a": [1, "}"]}"#])
        let history = try bench.call(HubBackend.history, HistoryCommand(topic: "news"))
        #expect(history.messages.map(\.message) == [message])
        #expect(history.end == published.position)
        let rest = try bench.call(
            HubBackend.history, HistoryCommand(topic: "news", after: history.end))
        #expect(rest.isRecovered && rest.messages.isEmpty)
    }

    @Test func `a publication with a key is published once`() async throws {
        let bench = try await BackendBench()
        let command = PublishCommand(topic: "a", HubMessage(text: "x"), idempotencyKey: "k")
        let first = try bench.call(HubBackend.publish, command)
        #expect(try bench.call(HubBackend.publish, command) == first)
        let volatile = PublishCommand(topic: "a", HubMessage(text: "x"), durability: .volatile)
        #expect(try bench.call(HubBackend.publish, volatile).position == nil)
    }

    @Test func `a history of more names than a decoder may see arrives whole`() async throws {
        let bench = try await BackendBench()
        for number in 0..<100 {
            let message = HubMessage(Payload(text: "\(number)"), event: "e", key: "k")
            _ = try bench.call(HubBackend.publish, PublishCommand(topic: "a", message))
        }
        let history = try bench.call(HubBackend.history, HistoryCommand(topic: "a"))
        #expect(history.messages.map(\.message.payload.text) == (0..<100).map { "\($0)" })
    }

    @Test func `a message to a user waits in the inbox`() async throws {
        let bench = try await BackendBench()
        let command = SendCommand(
            user: "ann", HubMessage(text: "hi"), delivery: .inbox(idempotencyKey: "k"))
        guard case .stored(let id) = try bench.call(HubBackend.send, command) else {
            Issue.record("it was not stored")
            return
        }
        #expect(try bench.call(HubBackend.send, command) == .duplicate(id))
        let ann = try bench.join("ann")
        bench.world.run(for: .seconds(1))
        #expect(ann.takeTexts() == ["inbox \(id) hi"])
    }

    @Test func `a message for now reaches who is there, and one device where it says so`()
        async throws
    {
        let bench = try await BackendBench()
        let phone = try bench.join("ann", device: "phone")
        let desk = try bench.join("ann", device: "desk")
        for (text, device) in [("all", nil), ("one", "desk")] as [(String, String?)] {
            let command = SendCommand(
                user: "ann", HubMessage(text: text), delivery: .now(device: device))
            #expect(try bench.call(HubBackend.send, command) == .sent)
        }
        #expect(phone.takeTexts() == ["msg - all"])
        #expect(desk.takeTexts() == ["msg - all", "msg - one"])
    }

    @Test func `a broadcast reaches everybody but those it leaves out`() async throws {
        let bench = try await BackendBench()
        let (ann, bob) = (try bench.join("ann"), try bench.join("bob"))
        _ = try bench.call(
            HubBackend.broadcast,
            BroadcastCommand(HubMessage(text: "n"), exceptUsers: ["bob"]))
        #expect(ann.takeTexts() == ["msg - n"])
        #expect(bob.takeTexts() == [])
    }

    @Test func `a campaign is steered, and the same by either way`() async throws {
        let bench = try await BackendBench()
        let users = (0..<100).map { "u\($0)" }
        let command = CampaignCommand(
            HubMessage(text: "x"), to: .inboxes(of: users), rate: 10, id: "c")
        #expect(try bench.call(HubBackend.beginCampaign, command).progress.total == 100)
        let reference = CampaignReference(id: "c")
        let half = try bench.call(HubBackend.pauseCampaign, reference)
        #expect(half.progress.state == .paused)
        bench.world.run(for: .seconds(60))
        #expect(try bench.call(HubBackend.campaign, reference) == half)
        #expect(try bench.get("campaigns/c").contains(#""state":"paused""#))
        #expect(try bench.call(HubBackend.resumeCampaign, reference).progress.state == .running)
        bench.world.run(for: .seconds(60))
        #expect(try bench.call(HubBackend.campaign, reference).progress.sent == 100)
        // Begun again under its name it is the same.
        let again = try bench.call(HubBackend.beginCampaign, command)
        #expect(again.progress.state == .finished)
        let other = CampaignCommand(
            HubMessage(text: "x"), to: .inboxes(of: users), rate: 1, id: "d")
        _ = try bench.call(HubBackend.beginCampaign, other)
        let end = try bench.call(HubBackend.cancelCampaign, CampaignReference(id: "d"))
        #expect(end.progress.state == .cancelled)
    }

    @Test func `presence and sessions tell who is there, and who is kicked is closed`()
        async throws
    {
        let bench = try await BackendBench()
        let ann = try bench.join("ann", device: "phone")
        ann.say("sub 1 news")
        bench.world.run(for: .seconds(1))
        #expect(
            try bench.call(HubBackend.presence, .topic("news"))
                == .topic("news", count: 1, users: ["ann"]))
        #expect(try bench.call(HubBackend.presence, .user("ann")) == .user("ann", sessions: 1))
        #expect(try bench.call(HubBackend.sessions, .count) == .count(1))
        let sessions = try bench.call(HubBackend.sessions, .user("ann"))
        guard case .user("ann", let known) = sessions else {
            Issue.record("\(sessions)")
            return
        }
        #expect(known.map(\.device) == ["phone"])
        let elsewhere = KickCommand(.device("desk", of: "ann"))
        #expect(try bench.call(HubBackend.kick, elsewhere).sessions == 0)
        let command = KickCommand(.user("ann", banned: .seconds(60)), reason: "bye")
        #expect(try bench.call(HubBackend.kick, command).sessions == 1)
        #expect(ann.closeCode == 4_403)
        let refused = try #require(bench.world.connect("/ws?user=ann", subprotocol: "lines.1"))
        #expect(!refused.isUpgraded)
        bench.world.run(for: .seconds(61))
        #expect(try bench.join("ann").isUpgraded)
    }
}
