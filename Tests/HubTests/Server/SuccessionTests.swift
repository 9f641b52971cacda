import Hub
import HubTesting
import HubWorlds
import Logging
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("A hub that is succeeded, on the simulated network")
struct SuccessionTests {
    /// Begins to stop accepting, and tells whether that is done.
    private final class Stop: Sendable {
        private let done = Mutex(false)

        var isDone: Bool { done.withLock { $0 } }

        init(_ hub: HubServer, within patience: Duration) {
            Task(executorPreference: hub.firstLoop) {
                await hub.stopAccepting(within: patience)
                self.done.withLock { $0 = true }
            }
        }
    }

    @Test func `who was accepted is let in before the drain, and nobody else is accepted`()
        async throws
    {
        let bench = try await LineBench()
        let ann = try bench.join("ann")
        let peer = try #require(bench.network.connect(to: bench.address))
        let late = SimulatedClient(peer: peer)
        bench.network.run(for: .milliseconds(10))
        let stop = Stop(bench.hub, within: .seconds(5))
        bench.network.run(for: .seconds(1))
        #expect(!stop.isDone)
        #expect(bench.network.connect(to: bench.address) == nil)
        late.requestUpgrade("/ws?bob", subprotocol: "lines.1")
        bench.network.run(for: .seconds(1))
        #expect(late.isUpgraded && stop.isDone)
        #expect(bench.ask(ann, "ping 1") == ["pong 1"], "those who are there are served")
        let hub = bench.hub
        try await bench.wait { await hub.drain(deadline: .seconds(5)) }
        #expect(ann.closeCode == 1_001 && late.closeCode == 1_001)
    }

    @Test func `a client that asks nothing is waited for no longer than patience lasts`()
        async throws
    {
        let bench = try await LineBench()
        _ = try #require(bench.network.connect(to: bench.address))
        bench.network.run(for: .milliseconds(10))
        let stop = Stop(bench.hub, within: .seconds(2))
        bench.network.run(for: .milliseconds(1_900))
        #expect(!stop.isDone)
        bench.network.run(for: .milliseconds(200))
        #expect(stop.isDone)
    }

    @Test func `nobody is waited for on a loop that is shut down meanwhile`() async throws {
        let bench = try await LineBench(loops: 2)
        for _ in 0..<4 { _ = try #require(bench.network.connect(to: bench.address)) }
        bench.network.run(for: .milliseconds(10))
        let stop = Stop(bench.hub, within: .seconds(600))
        bench.network.run(for: .seconds(1))
        #expect(!stop.isDone)
        let loop = bench.hub.firstLoop
        loop.execute { loop.shutDown() }
        bench.network.run(for: .seconds(1))
        #expect(stop.isDone)
    }

    @Test func `an answered request is no reason to wait`() async throws {
        let bench = try await LineBench()
        let peer = try #require(bench.network.connect(to: bench.address))
        peer.send(Array("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        bench.network.run(for: .milliseconds(100))
        let stop = Stop(bench.hub, within: .seconds(5))
        bench.network.run(for: .milliseconds(100))
        #expect(stop.isDone)
        // The connection goes on until the drain.
        peer.send(Array("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        bench.network.run(for: .milliseconds(100))
        let text = String(decoding: peer.received, as: UTF8.self)
        #expect(text.ranges(of: "HTTP/1.1 200 OK").count == 2)
    }

    @Test func `a client that was refused and does not go is no reason to wait`() async throws {
        let bench = try await LineBench()
        let peer = try #require(bench.network.connect(to: bench.address))
        peer.send(Array("NONSENSE\r\n\r\n".utf8))
        bench.network.run(for: .milliseconds(100))
        #expect(String(decoding: peer.received, as: UTF8.self).contains("400"))
        let stop = Stop(bench.hub, within: .seconds(5))
        bench.network.run(for: .milliseconds(100))
        #expect(stop.isDone)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a hub whose loops have ended has nobody to wait for`() async throws {
        let group = try EventLoopGroup()
        let hub = HubServer(
            group: group, application: LineApplication(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await group.shutdown()
        await hub.stopAccepting()
        await hub.drain(deadline: .seconds(600))
        #expect(hub.sessionCount == 0)
        let gone = try #require(SessionID("0-0-0"))
        await #expect(throws: RequestError.sessionEnded) {
            _ = try await hub.request(HubMessage(text: "?"), of: gone)
        }
        let campaign = hub.campaign(HubMessage(text: "!"), to: Recipients(.everyone), rate: 1)
        #expect(await campaign.finished().state == .finished)
        #expect(await hub.references(withAttribute: "a", equalTo: "b").isEmpty)
    }
}
