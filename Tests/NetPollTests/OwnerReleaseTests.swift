import NetPoll
import NetPollTesting
import Testing

@Suite("Owners of payloads, whose end may write", .timeLimit(.minutes(1)))
struct OwnerReleaseTests {
    /// A payload that does something when nobody holds it any more.
    private final class Payload {
        let bytes: UnsafeMutableRawBufferPointer
        private let onEnd: () -> Void

        init(_ bytes: [UInt8], onEnd: @escaping () -> Void) {
            self.bytes = .allocate(byteCount: bytes.count, alignment: 16)
            self.bytes.copyBytes(from: bytes)
            self.onEnd = onEnd
        }

        deinit {
            onEnd()
            bytes.deallocate()
        }
    }

    /// Three connections of one loop.
    private final class Setup {
        let network: SimulatedNetwork
        let loop: EventLoop
        let recorders = Recorders()
        private(set) var peers: [SimulatedPeer] = []
        private(set) var ended = 0

        init(seed: UInt64 = 1, faults: Faults = Faults()) throws {
            network = SimulatedNetwork(seed: seed, faults: faults)
            loop = network.makeLoop()
            let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
                [recorders] in recorders.make($0, $1)
            }.address
            for _ in 0..<3 {
                peers.append(try #require(network.connect(to: address)))
                #expect(network.run(within: .seconds(1)) { recorders.all.count == peers.count })
            }
        }

        func connection(_ index: Int) throws -> Connection {
            try #require(recorders.all[index].connection)
        }

        /// Writes `bytes` to the first connection; their owner's end writes to all three.
        func writeOwned(_ bytes: [UInt8], _ last: [UInt8]) throws -> WriteOutcome {
            let connections = try (0..<3).map { try connection($0) }
            let payload = Payload(bytes) { [unowned self] in
                ended += 1
                for connection in connections { connection.write(bytes: last) }
            }
            return try connection(0).write(.init(payload.bytes), keptAliveBy: payload)
        }
    }

    private let big = (0..<6_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

    @Test(arguments: [1, 5_000, 20_000])
    func `what it writes after a gathered payload arrives, at its connection and others`(
        count: Int
    ) throws {
        let setup = try Setup()
        let last = [UInt8](repeating: 9, count: count)
        #expect(try setup.writeOwned(big, last) == .accepted)
        try setup.connection(1).write(text: "b")
        setup.network.runUntilIdle()
        #expect(setup.ended == 1)
        #expect(setup.peers[0].takeReceived() == big + last)
        #expect(setup.peers[1].takeReceived() == Array("b".utf8) + last)
        #expect(setup.peers[2].takeReceived() == last)
        // Each finds its own place in the next turns, too.
        for turn in 0..<3 {
            for index in [2, 0, 1] { try setup.connection(index).write(text: "\(index)\(turn)") }
            setup.network.runUntilIdle()
            for index in 0..<3 {
                #expect(setup.peers[index].takeReceived() == Array("\(index)\(turn)".utf8))
            }
        }
    }

    @Test func `what it writes after a queued payload arrives, at its connection and others`()
        throws
    {
        let setup = try Setup()
        setup.peers[0].stall()
        let fill = [UInt8](repeating: 1, count: 100_000)
        try setup.connection(0).write(bytes: fill)
        setup.network.runUntilIdle()
        #expect(try setup.writeOwned(big, [9]) != .closed)
        setup.network.runUntilIdle()
        #expect(setup.ended == 0)
        setup.peers[0].resume()
        setup.network.runUntilIdle()
        #expect(setup.ended == 1)
        #expect(setup.peers[0].received == fill + big + [9])
        #expect(setup.peers[1].received == [9] && setup.peers[2].received == [9])
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `nothing is lost or mixed, however sends are cut`(seed: UInt64) throws {
        let setup = try Setup(seed: seed, faults: .cuts)
        var expected = [[UInt8]](repeating: [], count: 3)
        for round in 0..<30 as Range<UInt8> {
            let last = [UInt8](repeating: round, count: 100)
            try setup.connection(0).write(bytes: [round])
            #expect(try setup.writeOwned(big, last) != .closed)
            try setup.connection(1).write(bytes: [round])
            #expect(
                setup.network.run(within: .seconds(60)) { setup.ended == Int(round) + 1 })
            expected[0] += [round] + big + last
            expected[1] += [round] + last
            expected[2] += last
        }
        let hasCome = setup.network.run(within: .seconds(60)) {
            setup.peers.map(\.received.count) == expected.map(\.count)
        }
        #expect(hasCome, "seed \(seed)")
        #expect(setup.peers.map(\.received) == expected, "seed \(seed)")
    }

    @Test func `a payload that is dropped with its connection may write to others`() throws {
        let setup = try Setup()
        setup.peers[0].stall()
        try setup.connection(0).write(bytes: [UInt8](repeating: 1, count: 100_000))
        setup.network.runUntilIdle()
        #expect(try setup.writeOwned(big, [9]) != .closed)
        try setup.connection(0).abort()
        setup.network.runUntilIdle()
        #expect(setup.ended == 1)
        #expect(setup.peers[1].received == [9] && setup.peers[2].received == [9])
        // One that is only gathered when its connection ends.
        let (connection, other) = (try setup.connection(1), try setup.connection(2))
        var outcome: WriteOutcome?
        do {
            let payload = Payload(big) {
                outcome = connection.write(bytes: [8])
                other.write(bytes: [7])
            }
            connection.write(.init(payload.bytes), keptAliveBy: payload)
        }
        connection.abort()
        setup.network.runUntilIdle()
        #expect(outcome == .closed)
        #expect(setup.peers[2].received == [9, 7])
    }

    @Test func `a payload for many is let go of once, when all have it`() throws {
        let setup = try Setup()
        var ended = 0
        do {
            let payload = Payload(big) { ended += 1 }
            for index in 0..<3 {
                try setup.connection(index).write(.init(payload.bytes), keptAliveBy: payload)
            }
        }
        #expect(ended == 0)
        setup.network.runUntilIdle()
        #expect(ended == 1 && !setup.loop.hasWork)
        #expect(setup.peers.allSatisfy { $0.received == big })
    }
}
