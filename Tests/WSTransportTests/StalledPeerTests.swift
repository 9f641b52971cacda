import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// Peers that stop reading and stay up.
@Suite("Peers that take nothing", .timeLimit(.minutes(10)))
struct StalledPeerTests {
    /// What a peer's echo ended with in an hour.
    private func echoed(
        _ configure: (inout WebSocketServer.Configuration) -> Void = { _ in }
    ) async throws -> [WebSocketError?] {
        let bench = try await AsyncBench(configure)
        bench.serve(AsyncBench.echo)
        let peer = try bench.upgraded()
        peer.stall()
        let frame = Bench.frame([UInt8](repeating: 1, count: 50_000), .binary)
        for _ in 0..<8 { peer.send(frame) }
        bench.network.run(for: .seconds(3_600))
        return bench.outcomes.withLock { $0 }
    }

    @Test func `a task that sends to one is let go of, though nothing is read meanwhile`()
        async throws
    {
        #expect(try await echoed() == [.closed(.lost(.writeStalled))])
    }

    @Test func `without a write stall's timeout it waits`() async throws {
        let outcomes = try await echoed { $0.connection.writeStallTimeout = nil }
        #expect(outcomes.isEmpty)
    }

    @Test func `a handler's queue is let go of, whatever the peer still sends`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        peer.stall()
        let message = [UInt8](repeating: 7, count: 200_000)
        bench.connections.first?.send(message.span.bytes, kind: .binary)
        for _ in 0..<4 {
            bench.network.run(for: .seconds(50))
            peer.send(Bench.frame([], .pong))
        }
        #expect(bench.reasons == [.lost(.writeStalled)])
    }

    @Test func `servers and clients have the same bound`() {
        #expect(WebSocketServer.Configuration().connection.writeStallTimeout == .seconds(60))
        let client = WebSocketClient.Configuration()
        #expect(client.connect.limits.writeStallTimeout == .seconds(60))
    }
}
