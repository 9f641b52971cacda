import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// Peers that begin something and do not end it.
@Suite("Input that stays incomplete", .timeLimit(.minutes(10)))
struct IncompleteInputTests {
    private func bench() async throws -> Bench {
        try await Bench { $0.connection.inputTimeout = .seconds(10) }
    }

    private static let fragment: [UInt8] = [0x01, 0x81, 0, 0, 0, 0, 0x61]
    private static let continuation: [UInt8] = [0x00, 0x81, 0, 0, 0, 0, 0x61]

    /// What is sent first, then each second.
    private static let beginnings: [([UInt8], each: [UInt8])] = [
        ([0x81], []), ([0x82, 0xFE, 0], []),
        (Array(Bench.frame([UInt8](repeating: 1, count: 100), .binary).dropLast(50)), [1]),
        (Array(Bench.frame([UInt8](repeating: 1, count: 100), .ping).dropLast(50)), [1]),
        (fragment, []), (fragment, continuation), (fragment, Bench.frame([], .ping)),
    ]

    @Test(arguments: beginnings.indices)
    func `it ends the connection at its deadline, however much comes meanwhile`(
        index: Int
    ) async throws {
        let (first, each) = Self.beginnings[index]
        let bench = try await bench()
        let peer = try bench.upgraded()
        peer.send(Bench.frame("whole"))
        bench.network.run(for: .seconds(20))
        #expect(bench.reasons.isEmpty)
        peer.send(first)
        for _ in 0..<9 {
            bench.network.run(for: .seconds(1))
            if !each.isEmpty { peer.send(each) }
        }
        #expect(bench.reasons.isEmpty)
        bench.network.run(for: .seconds(2))
        #expect(bench.reasons == [.lost(.inputTimedOut)])
        #expect(peer.isReset)
    }

    @Test func `what is whole in time begins anew`() async throws {
        let bench = try await bench()
        let peer = try bench.upgraded()
        let frame = Bench.frame("hello")
        for _ in 0..<5 {
            peer.send(Array(frame.prefix(7)))
            bench.network.run(for: .seconds(9))
            peer.send(Array(frame.dropFirst(7)))
            bench.network.run(for: .seconds(3))
        }
        #expect(bench.messages.count == 5)
        #expect(bench.reasons.isEmpty)
    }

    @Test func `without a limit a connection may take its time`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        for byte in Bench.frame([UInt8](repeating: 1, count: 100), .binary) {
            peer.send([byte])
            bench.network.run(for: .seconds(50))
        }
        #expect(bench.messages.count == 1)
        #expect(bench.reasons.isEmpty)
    }
}
