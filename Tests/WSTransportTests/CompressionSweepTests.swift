import NetPoll
import NetPollTesting
import Testing
import WSFrame

@testable import WSTransport

@Suite("Idle compression contexts of many connections", .timeLimit(.minutes(10)))
struct CompressionSweepTests {
    @Test func `they are given back a few in each turn`() async throws {
        var context = CompressionConfiguration.context
        context.ownWindowBitsMax = 15
        context.peerWindowBitsMax = 15
        context.memoryLevel = 1
        context.idleTimeout = .seconds(10)
        let bench = try await Bench {
            $0.compression = context
            $0.heartbeat = nil
        }
        let text = String(repeating: "words that come again ", count: 10)
        let count = Compressors.contextsPerTurnMax * 5 + 3
        let peers = try (0..<count).map { _ in try CompressingPeer(bench) }
        for peer in peers { peer.send(text) }
        bench.network.runUntilIdle()
        let pool = try #require(bench.connections[0].deflatePool)
        #expect(pool.contextsHeld == count)
        var steps: [Int] = []
        // At the second sweep they have not been used since the first.
        for _ in 0..<21_000 where pool.contextsHeld > 0 {
            let before = pool.contextsHeld
            bench.network.run(for: .milliseconds(1))
            if pool.contextsHeld < before { steps.append(before - pool.contextsHeld) }
        }
        let most = Compressors.contextsPerTurnMax
        #expect(steps == [Int](repeating: most, count: 5) + [3])
        // A connection whose context is gone goes on.
        let peer = peers[count - 1]
        _ = try peer.receive()
        peer.send(text)
        bench.network.runUntilIdle()
        #expect(try peer.receive().map(\.text) == [text])
    }
}
