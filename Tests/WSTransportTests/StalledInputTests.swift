import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// Peers that begin something, and then bring nothing more of it.
@Suite("Input that stalls", .timeLimit(.minutes(10)))
struct StalledInputTests {
    private static let fragment: [UInt8] = [0x01, 0x81, 0, 0, 0, 0, 0x61]
    private static let long = Bench.frame([UInt8](repeating: 1, count: 100), .binary)

    /// What is sent at first, then each second.
    private static let beginnings: [([UInt8], each: [UInt8])] = [
        ([0x81], []), ([0x82, 0xFE, 0], []), (Array(long.dropLast(50)), []), (fragment, []),
        (Array(Bench.frame([UInt8](repeating: 1, count: 100), .ping).dropLast(50)), []),
        (fragment, Bench.frame([], .ping)), (fragment, Bench.frame([], .pong)),
        // Each read but the last ends inside a ping.
        (fragment + [0x89], [0x80, 1, 2, 3, 4, 0x89]),
    ]

    /// Without a heartbeat, with one that beats earlier than a stall is found, and later.
    private static let heartbeats: [Heartbeat?] = [
        nil, Heartbeat(), Heartbeat(interval: .seconds(100), timeout: .seconds(200)),
        Heartbeat(interval: .seconds(25), timeout: .seconds(70), intervalMax: .seconds(300)),
    ]

    @Test(arguments: beginnings.indices, heartbeats)
    func `it is closed after a minute, whatever is sent beside it`(
        index: Int, heartbeat: Heartbeat?
    ) async throws {
        let (first, each) = Self.beginnings[index]
        let bench = try await Bench { $0.heartbeat = heartbeat }
        let peer = try bench.upgraded()
        for _ in 0..<80 {
            bench.network.run(for: .seconds(20))
            if !peer.takeReceived().isEmpty { peer.send(Bench.frame([], .pong)) }
        }
        peer.send(Bench.frame("whole") + first)
        for _ in 0..<59 {
            bench.network.run(for: .seconds(1))
            if !each.isEmpty { peer.send(each) }
        }
        bench.network.run(for: .milliseconds(950))
        #expect(bench.reasons.isEmpty)
        _ = peer.takeReceived()
        bench.network.run(for: .milliseconds(100))
        if let heartbeat, heartbeat.timeout <= .seconds(60), each.isEmpty {
            // Who says nothing else either is gone, and is not told.
            #expect(bench.reasons == [.heartbeatTimedOut])
            return
        }
        #expect(peer.received.starts(with: [0x88, 15, 0x03, 0xE9]))
        peer.close()
        bench.network.run(for: .seconds(1))
        #expect(bench.reasons == [.inputStalled])
    }

    @Test(arguments: heartbeats)
    func `a message that comes forward a byte at a time is not cut off`(
        heartbeat: Heartbeat?
    ) async throws {
        let bench = try await Bench { $0.heartbeat = heartbeat }
        let peer = try bench.upgraded()
        for byte in Self.long {
            peer.send([byte])
            bench.network.run(for: .seconds(59))
        }
        #expect(bench.messages.count == 1)
        #expect(bench.reasons.isEmpty)
    }

    @Test func `its time begins anew with each byte of it`() async throws {
        let bench = try await Bench { $0.inputStallTimeout = .seconds(10) }
        let peer = try bench.upgraded()
        peer.send(Self.fragment)
        bench.network.run(for: .seconds(9))
        peer.send(Array(Bench.frame([1], .continuation).prefix(1)))
        bench.network.run(for: .milliseconds(9_900))
        #expect(bench.reasons.isEmpty && peer.received.isEmpty)
        bench.network.run(for: .milliseconds(200))
        #expect(peer.received.starts(with: [0x88]))
    }

    @Test func `pings cut by every read, between messages, are no stall`() async throws {
        let bench = try await Bench { $0.inputStallTimeout = .seconds(10) }
        let peer = try bench.upgraded()
        peer.send([0x89])
        for _ in 0..<60 {
            bench.network.run(for: .seconds(1))
            peer.send([0x80, 1, 2, 3, 4, 0x89])
        }
        bench.network.run(for: .seconds(1))
        #expect(bench.reasons.isEmpty)
        #expect(peer.takeReceived().count == 120)
    }

    @Test func `a compressed message stalls like any other`() async throws {
        let bench = try await Bench {
            $0.compression = CompressionConfiguration()
            $0.heartbeat = nil
        }
        let peer = try CompressingPeer(bench).peer
        // "Hello" (RFC 7692 §7.2.3.1), cut.
        let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0]
        let message = FrameEncoder.frame(
            hello.span.bytes, opcode: .text, isCompressed: true,
            maskingKey: MaskingKey(1, 2, 3, 4))
        peer.send(Array(message.dropLast(4)))
        bench.network.run(for: .seconds(50))
        peer.send(Array(message.dropLast(2).suffix(2)))
        bench.network.run(for: .milliseconds(59_900))
        _ = peer.takeReceived()
        #expect(bench.connections.first?.isOpen == true)
        bench.network.run(for: .milliseconds(200))
        #expect(peer.received.starts(with: [0x88]))
    }

    @Test func `it takes no memory of connections that wait for nothing`() async throws {
        let bench = try await Bench { $0.heartbeat = nil }
        let peer = try bench.upgraded()
        let webSocket = try #require(bench.connections.first)
        peer.send(Array(Self.long.prefix(50)))
        bench.network.runUntilIdle()
        peer.send(Array(Self.long.dropFirst(50)))
        bench.network.runUntilIdle()
        #expect(!webSocket.ownsMemory)
        // The timer of the message that came whole finds nothing to do, and is not armed again.
        bench.network.run(for: .seconds(61))
        #expect(webSocket.loop.nextTimer == nil)
        #expect(bench.reasons.isEmpty)
    }

    @Test func `who set no limit waits for ever`() async throws {
        let bench = try await Bench { $0.inputStallTimeout = nil }
        let peer = try bench.upgraded()
        peer.send(Self.fragment)
        for _ in 0..<100 {
            bench.network.run(for: .seconds(50))
            peer.send(Bench.frame([], .ping))
        }
        #expect(bench.reasons.isEmpty)
    }

    @Test func `a limit of nothing, or of more than 20 days, traps`() async {
        for timeout in [Duration.zero, .seconds(20 * 86_400 + 1)] {
            let seconds = timeout.components.seconds
            await #expect(processExitsWith: .failure) { [seconds = seconds as Int64] in
                _ = try await Bench { $0.inputStallTimeout = .seconds(seconds) }
            }
        }
    }
}
