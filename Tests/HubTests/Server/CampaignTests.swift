import Hub
import HubTesting
import HubWorlds
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
        let nobody = bench.hub.campaign(news, to: Recipients(.users(["eve"])), rate: 1)
        bench.network.run(for: .milliseconds(100))
        #expect(nobody.progress.state == .finished)
    }
}
