import Hub
import HubTesting
import HubWorlds
import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("Campaigns, on the simulated network")
struct CampaignTests {
    private let news = HubMessage(Payload(text: "news"), event: "e")

    private func heard(_ clients: [SimulatedClient]) -> Int {
        clients.count { $0.texts.contains("msg e news") }
    }

    @Test func `it goes at its rate, and tells how far it has come`() async throws {
        let bench = try await LineBench()
        let clients = try (0..<100).map { try bench.join("u\($0)") }
        let campaign = bench.hub.campaign(
            news, to: Recipients(.everyone, exceptUsers: ["u7"]), rate: 20)
        bench.network.run(for: .seconds(1))
        #expect((18...22).contains(heard(clients)))
        #expect(campaign.progress.total == 99)
        #expect((18...22).contains(campaign.progress.sent))
        campaign.rate = 40
        bench.network.run(for: .seconds(1))
        #expect((56...64).contains(heard(clients)))
        bench.network.run(for: .seconds(2))
        #expect(heard(clients) == 99)
        #expect(!clients[7].texts.contains("msg e news"))
        #expect(campaign.progress.state == .finished)
        let progress = try await bench.wait { await campaign.finished() }
        #expect(progress.sent == 99)
    }

    @Test func `it pauses, goes on and is cancelled`() async throws {
        let bench = try await LineBench()
        let clients = try (0..<50).map { try bench.join("u\($0)") }
        let campaign = bench.hub.campaign(news, to: Recipients(.everyone), rate: 10)
        bench.network.run(for: .seconds(1))
        campaign.pause()
        bench.network.run(for: .milliseconds(50))
        let paused = heard(clients)
        #expect((8...12).contains(paused))
        bench.network.run(for: .seconds(10))
        #expect(heard(clients) == paused)
        campaign.resume()
        bench.network.run(for: .seconds(1))
        #expect((paused + 8...paused + 12).contains(heard(clients)))
        campaign.cancel()
        bench.network.run(for: .seconds(10))
        #expect((paused + 8...paused + 13).contains(heard(clients)))
        #expect(campaign.progress.state == .cancelled)
    }

    @Test func `it is for users, devices and subscribers of topics, each once`() async throws {
        let bench = try await LineBench(loops: 2)
        let clients = try ["ann/phone", "ann/desk", "bob", "eve"].map { try bench.join($0) }
        for client in clients[1...2] { client.say("sub 1 a") }
        bench.network.run(for: .milliseconds(100))
        func reached(_ recipients: Recipients) -> [Int] {
            for client in clients { _ = client.takeTexts() }
            let campaign = bench.hub.campaign(news, to: recipients, rate: 100)
            bench.network.run(for: .seconds(1))
            #expect(campaign.progress.state == .finished)
            return clients.map { client in client.texts.count { $0 == "msg e news" } }
        }
        #expect(
            reached(Recipients(.users(["ann", "eve", "ann"]), exceptUsers: ["eve"])) == [
                1, 1, 0, 0,
            ])
        #expect(reached(Recipients(.device(user: "ann", device: "desk"))) == [0, 1, 0, 0])
        #expect(reached(Recipients(.topic("a"), exceptUsers: ["bob"])) == [0, 1, 0, 0])
        #expect(reached(Recipients(.topic("nowhere"))) == [0, 0, 0, 0])
    }

    @Test func `a long one keeps nothing of other topics, nor another campaign, waiting`()
        async throws
    {
        let bench = try await LineBench(loops: 1)
        let clients = try (0..<50).map { try bench.join("u\($0)") }
        for (number, client) in clients.enumerated() {
            client.say("sub 1 \(number % 2 == 0 ? "a" : "b")")
        }
        bench.network.run(for: .milliseconds(100))
        let slow = bench.hub.campaign(news, to: Recipients(.topic("a")), rate: 1)
        let fast = bench.hub.campaign(news, to: Recipients(.topic("b")), rate: 1_000)
        let topic = try #require(bench.hub.topic("a"))
        topic.publish(Publication(HubMessage(text: "now")))
        bench.network.run(for: .milliseconds(200))
        let inTopic = clients.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        #expect(inTopic.allSatisfy { $0.texts.contains { $0.hasSuffix(" now") } })
        #expect(fast.progress.state == .finished && fast.progress.sent == 25)
        #expect(slow.progress.state == .running && slow.progress.sent <= 1)
    }

    @Test func `it ends with the hub's loops`() async throws {
        let bench = try await LineBench(loops: 1)
        _ = try bench.join("ann")
        _ = try bench.join("bob")
        let campaign = bench.hub.campaign(news, to: Recipients(.everyone), rate: 1)
        bench.network.run(for: .milliseconds(100))
        #expect(campaign.progress.state == .running)
        let loop = bench.hub.firstLoop
        loop.execute { loop.shutDown() }
        bench.network.run(for: .milliseconds(100))
        #expect(campaign.progress.state == .cancelled)
    }

    @Test func `those who have left are missed, and an empty one is finished at once`()
        async throws
    {
        let bench = try await LineBench()
        let clients = try (0..<10).map { try bench.join("u\($0)") }
        let campaign = bench.hub.campaign(news, to: Recipients(.everyone), rate: 10)
        for client in clients[5...] { client.peer.reset() }
        bench.network.run(for: .seconds(5))
        #expect(heard(clients) == 5)
        #expect(campaign.progress.missed == 5)
        // Those of its last share are counted before it is finished.
        let left = clients[..<5].indices.map { "u\($0)" }
        let quick = bench.hub.campaign(news, to: Recipients(.users(left)), rate: 1_000)
        for client in clients[2..<5] { client.peer.reset() }
        let progress = try await bench.wait { await quick.finished() }
        #expect((progress.sent, progress.missed) == (5, 3))
        let nobody = bench.hub.campaign(news, to: Recipients(.users(["eve"])), rate: 1)
        bench.network.run(for: .milliseconds(100))
        #expect(nobody.progress.state == .finished)
    }

    /// How many had it after each of so many steps of time.
    private func course(
        of bench: LineBench, _ campaign: Campaign, steps: Int, of step: Duration
    ) -> [Int] {
        (0..<steps).map { _ in
            bench.network.run(for: step)
            return campaign.progress.sent
        }
    }

    /// A campaign to the inboxes of users who are not there.
    private func inboxes(rate: Int, users: Int) async throws -> (LineBench, Campaign) {
        let bench = try await LineBench(loops: 1) { $0.inbox = InboxPolicy() }
        let campaign = bench.hub.campaign(
            news, toInboxesOf: (0..<users).map { "u\($0)" }, rate: rate)
        return (bench, campaign)
    }

    @Test(arguments: [1, 3, 7, 9, 13, 50, 51, 99, 450, 1_000, 7_777])
    func `whatever its rate, it keeps it`(rate: Int) async throws {
        let (bench, campaign) = try await inboxes(rate: rate, users: rate * 20)
        let sent = course(of: bench, campaign, steps: 10, of: .seconds(1))
        for (second, sent) in sent.enumerated() {
            let due = rate * (second + 1)
            #expect(abs(sent - due) <= rate / 50 + 1, "\(sent) of \(due)")
        }
    }

    @Test func `what a stall of its loop kept back follows at no more than twice the rate`()
        async throws
    {
        let (bench, campaign) = try await inboxes(rate: 1_000, users: 6_000)
        let before = course(of: bench, campaign, steps: 1, of: .seconds(1))
        bench.network.jumpClock(by: .milliseconds(500))
        let after = course(of: bench, campaign, steps: 80, of: .milliseconds(20))
        #expect(after[0] - (before.last ?? 0) <= 140)
        for (earlier, later) in zip(after, after.dropFirst()) { #expect(later - earlier <= 80) }
        let due = 1_000 + 500 + 1_600
        #expect(((due - 40)...due).contains(after.last ?? 0), "\(after.last ?? 0) of \(due)")
    }

    @Test func `of a long stall a second is made up for`() async throws {
        let (bench, campaign) = try await inboxes(rate: 100, users: 6_000)
        bench.network.run(for: .seconds(1))
        bench.network.jumpClock(by: .seconds(60))
        bench.network.run(for: .seconds(10))
        #expect((1_180...1_210).contains(campaign.progress.sent))
    }

    @Test func `a pause is not made up for`() async throws {
        let (bench, campaign) = try await inboxes(rate: 100, users: 6_000)
        bench.network.run(for: .seconds(1))
        campaign.pause()
        bench.network.run(for: .seconds(60))
        campaign.resume()
        bench.network.run(for: .seconds(1))
        #expect((190...210).contains(campaign.progress.sent))
    }
}
