import NetPoll
import NetPollTesting
import Seeds
import Testing

@Suite("Connections under faults")
struct FaultTests {
    @Test(arguments: seeds(200))
    func `an echo survives cuts, delays, refused sends and reordering`(seed: UInt64) throws {
        let network = SimulatedNetwork(seed: seed, faults: .cuts)
        let loop = network.makeLoop()
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let address = try loop.listen(on: .v4(0x0100_007f, port: 0)) {
            recorders.make($0, $1)
        }.address
        var random = SeededGenerator(seed: seed &+ 1)
        var sent: [[UInt8]] = []
        var peers: [SimulatedPeer] = []
        for _ in 0..<5 {
            let peer = try #require(network.connect(to: address, windowBytes: 3_000))
            let count = Int.random(in: 0...20_000, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            peer.send(bytes)
            peer.sendEnd()
            sent.append(bytes)
            peers.append(peer)
        }
        network.run(for: .seconds(30))
        for (peer, bytes) in zip(peers, sent) {
            #expect(peer.received == bytes, "seed \(seed)")
            #expect(peer.isEnded && !peer.isReset, "seed \(seed)")
        }
        #expect(recorders.all.allSatisfy { $0.closeReason == .peer }, "seed \(seed)")
        #expect(network.openDescriptors == 1, "seed \(seed)")
    }

    @Test func `a peer sees the reset that a fault made`() throws {
        let network = SimulatedNetwork(seed: 1)
        let loop = network.makeLoop()
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let address = try loop.listen(on: .v4(0x0100_007f, port: 0)) {
            recorders.make($0, $1)
        }.address
        let peer = try #require(network.connect(to: address))
        network.runUntilIdle()
        network.faults.resets = 1
        peer.send([1])
        network.runUntilIdle()
        #expect(peer.isReset)
        #expect(recorders.all.first?.closeReason == .reset)
    }

    @Test(arguments: seeds(200))
    func `resets and failed accepts leak nothing and tell every handler once`(seed: UInt64) throws {
        var faults = Faults.cuts
        faults.resets = 0.05
        faults.failedAccepts = 0.1
        let network = SimulatedNetwork(seed: seed, faults: faults)
        let loop = network.makeLoop()
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let address = try loop.listen(on: .v4(0x0100_007f, port: 0)) {
            recorders.make($0, $1)
        }.address
        var random = SeededGenerator(seed: seed)
        var peers: [SimulatedPeer] = []
        for _ in 0..<300 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<2: peers += [network.connect(to: address)].compactMap { $0 }
            case 2: peers.randomElement(using: &random)?.reset()
            case 3: peers.randomElement(using: &random)?.close()
            case 4: recorders.all.randomElement(using: &random)?.connection?.close()
            case 5: recorders.all.randomElement(using: &random)?.connection?.abort()
            case 6: peers.randomElement(using: &random)?.send([UInt8](repeating: 1, count: 5_000))
            default: network.run(for: .milliseconds(Int64.random(in: 0...50, using: &random)))
            }
        }
        for peer in peers { peer.close() }
        network.run(for: .seconds(30))
        #expect(network.openDescriptors == 1, "seed \(seed)")
        #expect(loop.registrations == 1, "seed \(seed)")
        for recorder in recorders.all {
            #expect(recorder.events.filter { $0 == "closed" }.count == 1, "seed \(seed)")
        }
        #expect(loop.metrics.accepted == loop.metrics.closed, "seed \(seed)")
    }
}
