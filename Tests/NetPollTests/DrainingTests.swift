import NetPoll
import NetPollTesting
import Testing

@Suite("Graceful shutdown", .timeLimit(.minutes(10)))
struct DrainingTests {
    @Test func `what is queued is sent, and the peer's end awaited`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let recorders = Recorders()
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        let peer = try #require(network.connect(to: address))
        network.runUntilIdle()
        let words = [UInt8](repeating: 7, count: 200_000)
        peer.stall()
        recorders.all.first?.connection?.write(bytes: words)
        var aborted: Int?
        loop.beginDrain(within: .seconds(10)) { aborted = $0 }
        network.run(for: .seconds(1))
        #expect(aborted == nil)
        #expect(network.connect(to: address) == nil, "nothing listens any more")
        peer.resume()
        network.runUntilIdle()
        #expect(peer.received == words && peer.isEnded)
        peer.sendEnd()
        network.run(for: .seconds(1))
        #expect(aborted == 0)
        #expect(recorders.all.first?.closeReason == .local)
        #expect(loop.timers == 0)
    }

    @Test func `who does not end is counted at the limit`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        var configuration = Listener.Configuration()
        configuration.limits.closeTimeout = .seconds(100)
        let address = try loop.listen(
            on: SocketAddress(host: "127.0.0.1", port: 0), configuration: configuration
        ) { _, _ in Recorder() }.address
        let peers = try (0..<3).map { _ in try #require(network.connect(to: address)) }
        network.runUntilIdle()
        var aborted: Int?
        loop.beginDrain(within: .seconds(10)) { aborted = $0 }
        peers[0].sendEnd()
        network.run(for: .seconds(9))
        #expect(aborted == nil)
        network.run(for: .seconds(2))
        #expect(aborted == 2)
    }

    @Test func `a group ends gracefully and its loops are gone`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        let group = try EventLoopGroup(configuration: configuration)
        _ = try await group.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) { _, _ in
            Recorder()
        }
        #expect(await group.shutdown(gracefullyWithin: .seconds(10)) == 0)
        #expect(!group.loops[0].execute {})
        #expect(await group.shutdown(gracefullyWithin: .seconds(10)) == 0)
    }
}
