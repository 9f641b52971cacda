import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("Buffers of what tasks receive", .timeLimit(.minutes(10)))
struct InboundBufferTests {
    private let network = SimulatedNetwork(seed: 3, faults: .cuts)
    private let loop: EventLoop
    private let address = SocketAddress.v4(UInt32(0x7f00_0001).bigEndian, port: 7)

    init() {
        loop = network.makeLoop()
    }

    private func serve(
        _ body: @escaping @Sendable (AsyncConnection) async throws -> Void
    ) throws -> Task<Void, Never> {
        let listener = try loop.listenForTasks(on: address)
        return Task(executorPreference: loop) { await listener.serve(body) }
    }

    @Test func `what a task keeps is nobody else's, even when its connection is gone`() throws {
        let kept = Mutex<[ReceivedBytes]>([])
        let server = try serve { connection in
            for try await bytes in connection.inbound { kept.withLock { $0.append(bytes) } }
        }
        for round in 0..<5 {
            let peers = try (0..<20).map { _ in try #require(network.connect(to: address)) }
            network.run(for: .seconds(1))
            for (index, peer) in peers.enumerated() {
                let letter = UInt8(round * 20 + index)
                for _ in 0..<3 { peer.send([UInt8](repeating: letter, count: 1_000)) }
                // Half of them are gone while their bytes are kept.
                if index % 2 == 0 { peer.sendEnd() } else { peer.reset() }
            }
            network.run(for: .seconds(1))
        }
        server.cancel()
        network.run(for: .seconds(1))
        let all = kept.withLock { $0 }
        #expect(all.count > 50)
        for bytes in all { #expect(Set(bytes).count == 1) }
        // Those that ended in order have brought all of theirs.
        let counts = Dictionary(grouping: all) { $0[0] }.mapValues {
            $0.reduce(0) { $0 + $1.count }
        }
        for letter in stride(from: UInt8(0), to: 100, by: 2) { #expect(counts[letter] == 3_000) }
    }

    @Test func `memory of a peak is given back by the small traffic after it`() throws {
        network.faults = Faults()
        let gate = Gate()
        let server = try serve { connection in
            await gate.pass()
            for try await _ in connection.inbound {}
        }
        let peers = try (0..<200).map { _ in try #require(network.connect(to: address)) }
        network.runUntilIdle()
        for _ in 0..<2 {
            for peer in peers { peer.send([UInt8](repeating: 1, count: 40_000)) }
            network.runUntilIdle()
        }
        let peak = loop.inboundBytesKept
        #expect(peak > 64 * 64 << 10)
        gate.open()
        network.runUntilIdle()
        for _ in 0..<3 {
            for peer in peers { peer.send([1]) }
            network.runUntilIdle()
        }
        #expect(loop.inboundBytesKept < peak / 10)
        server.cancel()
        network.runUntilIdle()
    }
}
