import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("Input that a turn cannot take", .timeLimit(.minutes(10)))
struct HeldInputTests {
    /// 200 KB of text that take some 220 bytes on the wire.
    private static let bomb = String(repeating: "0", count: 200_000)

    private func quiet(_ configuration: inout WebSocketServer.Configuration) {
        configuration.compression = .shared
        configuration.heartbeat = nil
    }

    @Test func `what one read inflates to is spread over turns, and others go between`()
        async throws
    {
        let bench = try await Bench(quiet)
        bench.echoes = false
        let peer = try CompressingPeer(bench)
        let other = try bench.upgraded()
        var arrivals: [(turn: Int, bytes: Int)] = []
        bench.onMessage = { connection in
            let bytes = bench.messages.last?.bytes.count ?? 0
            arrivals.append((connection.loop.metrics.turns, bytes))
            if arrivals.count == 2 { other.send(Bench.frame("b")) }
        }
        peer.peer.send((0..<30).flatMap { _ in peer.frame(Self.bomb) })
        bench.network.runUntilIdle()
        #expect(arrivals.count == 31)
        let perTurn = Dictionary(grouping: arrivals, by: \.turn).mapValues { turn in
            turn.reduce(0) { $0 + $1.bytes }
        }
        // What a turn finishes may have begun in the one before.
        #expect(perTurn.values.allSatisfy { $0 <= 512 << 10 + 200_000 })
        #expect(perTurn.count >= 11)
        let place = try #require(arrivals.firstIndex { $0.bytes == 1 })
        #expect(place < 10)
        #expect(
            bench.messages.filter { $0.bytes.count > 1 }.allSatisfy { $0.bytes.count == 200_000 })
    }

    @Test func `while input is held the peer is stopped by its window`() async throws {
        let bench = try await Bench {
            quiet(&$0)
            $0.limits.inflatedBytesPerTurnMax = 10_000
        }
        bench.echoes = false
        let transport = try #require(bench.network.connect(to: bench.address, windowBytes: 2_000))
        let peer = try CompressingPeer(transport, bench.network)
        let webSocket = try #require(bench.connections.first)
        let frame = peer.frame(Self.bomb)
        let receives = webSocket.loop.metrics.receives
        let turns = webSocket.loop.metrics.turns
        bench.onMessage = { connection in
            guard bench.messages.count == 9 else { return }
            // What nine took, and a window more.
            #expect(connection.loop.metrics.receives - receives <= frame.count * 9 / 2_000 + 2)
            #expect(connection.loop.metrics.turns - turns >= 180)
            #expect(connection.ownsMemory)
        }
        peer.peer.send((0..<30).flatMap { _ in frame })
        bench.network.runUntilIdle()
        #expect(bench.messages.count == 30)
        #expect(!webSocket.ownsMemory)
    }

    @Test(arguments: ["reset", "end", "close", "violation", "abort", "drain"])
    func `a connection that ends with input held leaves nothing behind`(ending: String)
        async throws
    {
        let bench = try await Bench {
            quiet(&$0)
            $0.limits.inflatedBytesPerTurnMax = 10_000
        }
        bench.echoes = false
        let peer = try CompressingPeer(bench)
        let webSocket = try #require(bench.connections.first)
        var frames = (0..<5).flatMap { _ in peer.frame(Self.bomb) }
        if ending == "violation" { frames += [0x83, 0x80, 0, 0, 0, 0] }
        if ending == "close" || ending == "end" { frames += Bench.close(1000) }
        peer.peer.send(frames)
        bench.onMessage = { connection in
            guard bench.messages.count == 2 else { return }
            switch ending {
            case "reset": peer.peer.reset()
            case "abort": connection.abort()
            case "drain":
                bench.server.beginDrain(code: .goingAway, deadline: .seconds(3)) {}
            default: break
            }
        }
        if ending == "end" { peer.peer.sendEnd() }
        bench.network.run(for: .seconds(1))
        switch ending {
        case "violation": #expect(peer.peer.closeCode == 1002)
        case "close", "end": #expect(peer.peer.closeCode == 1000)
        case "drain": #expect(peer.peer.closeCode == 1001)
        default: break
        }
        if ending == "close" || ending == "end" || ending == "violation" {
            #expect(bench.messages.count == 5)
        }
        bench.network.run(for: .seconds(30))
        #expect(bench.reasons.count == 1)
        #expect(!webSocket.isOpen)
        #expect(bench.server.connectionCount == 0)
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func `an echo is the same, whatever network and turns do`(seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        let most = Int.random(in: 1...30_000, using: &generator)
        let bench = try await Bench(seed: seed, faults: .cuts) {
            quiet(&$0)
            $0.limits.inflatedBytesPerTurnMax = most
        }
        let peer = try CompressingPeer(bench)
        var expected: [String] = []
        for index in 0..<20 {
            let count = [1, 10, 1_000, 50_000].randomElement(using: &generator) ?? 0
            expected.append(String(repeating: "\(index % 10)", count: count))
        }
        peer.peer.send(expected.flatMap { peer.frame($0) })
        var received: [String] = []
        let isBack = bench.network.run(within: .seconds(600)) {
            received += ((try? peer.receive()) ?? []).map(\.text)
            return received.count >= expected.count
        }
        #expect(isBack, "seed \(seed)")
        let isSame = received == expected
        #expect(isSame, "seed \(seed)")
    }
}
