import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// What is said to a peer whose send queue is full.
@Suite("Control frames and a full send queue", .timeLimit(.minutes(10)))
struct FullQueueTests {
    private static let queueBytesMax = 100_000

    /// A connection whose queue has no room for a single byte, and its peer, which reads nothing.
    private func full(
        _ overflow: Connection.OverflowPolicy = .refuse, bytesMax: Int = Self.queueBytesMax,
        highWatermark: Int = 50_000
    ) async throws -> (Bench, SimulatedPeer, WebSocketConnection) {
        let bench = try await Bench {
            $0.connection.overflow = overflow
            $0.connection.sendQueueBytesMax = bytesMax
            $0.connection.highWatermark = highWatermark
        }
        bench.echoes = false
        let peer = try bench.upgraded()
        peer.stall()
        let connection = try #require(bench.connections.first)
        func send(_ frameBytes: Int) {
            let message = [UInt8](repeating: 7, count: frameBytes - 4)
            connection.send(message.span.bytes, kind: .binary)
        }
        // The window first.
        while connection.queuedBytes == 0 {
            send(10_000)
            bench.network.runUntilIdle()
        }
        while bytesMax - connection.queuedBytes > 20_000 { send(10_000) }
        send(bytesMax - connection.queuedBytes)
        try #require(connection.queuedBytes == bytesMax)
        bench.network.runUntilIdle()
        return (bench, peer, connection)
    }

    /// A bound may lie below the watermark at which others are told that the queue is long.
    @Test(
        arguments: [Connection.OverflowPolicy.refuse, .close],
        [(100_000, 50_000), (32 << 10, 64 << 10)])
    func `a close frame follows what fills it`(
        overflow: Connection.OverflowPolicy, bounds: (Int, Int)
    ) async throws {
        let (bench, peer, connection) = try await full(
            overflow, bytesMax: bounds.0, highWatermark: bounds.1)
        if overflow == .refuse { #expect(connection.send(text: "more") == .refused) }
        connection.close(.tryAgainLater)
        bench.network.run(for: .seconds(1))
        #expect(bench.reasons.isEmpty)
        peer.resume()
        bench.network.runUntilIdle()
        #expect(peer.closeCode == 1013)
        #expect(!peer.isEnded)
        peer.send(Bench.close(1013))
        bench.network.runUntilIdle()
        #expect(peer.isEnded && !peer.isReset)
        peer.close()
        bench.network.runUntilIdle()
        #expect(bench.reasons == [.local(.tryAgainLater)])
    }

    @Test(arguments: [Connection.OverflowPolicy.refuse, .close], [false, true])
    func `the peer's close frame is answered behind what fills it`(
        overflow: Connection.OverflowPolicy, endsAtOnce: Bool
    ) async throws {
        let (bench, peer, _) = try await full(overflow)
        peer.send(Bench.close(4000))
        if endsAtOnce { peer.sendEnd() }
        bench.network.run(for: .seconds(1))
        peer.resume()
        bench.network.runUntilIdle()
        #expect(peer.closeCode == 4000)
        #expect(peer.isEnded && !peer.isReset)
        peer.close()
        bench.network.runUntilIdle()
        #expect(bench.reasons == [.peer(CloseCode(rawValue: 4000))])
    }

    @Test func `a violation is answered behind what fills it`() async throws {
        let (bench, peer, _) = try await full()
        peer.send([0x83, 0x80, 0, 0, 0, 0])
        bench.network.run(for: .seconds(1))
        peer.resume()
        bench.network.runUntilIdle()
        #expect(peer.closeCode == 1002)
        #expect(peer.isEnded && !peer.isReset)
    }

    @Test func `who does not read on is not waited for beyond the close's timeout`() async throws {
        let (local, _, connection) = try await full()
        connection.close(.tryAgainLater)
        local.network.run(for: .milliseconds(4_990))
        #expect(local.reasons.isEmpty)
        local.network.run(for: .milliseconds(20))
        #expect(local.reasons == [.closeTimedOut])
        let (remote, peer, _) = try await full()
        peer.send(Bench.close(4000))
        remote.network.run(for: .milliseconds(5_010))
        #expect(remote.reasons == [.peer(CloseCode(rawValue: 4000))])
        #expect(peer.isReset)
    }

    @Test func `of pings that it has no room to answer the latest is answered`() async throws {
        let (bench, peer, connection) = try await full()
        for number in 1...5 as ClosedRange<UInt8> {
            peer.send(Bench.frame([number], .ping))
            bench.network.runUntilIdle()
        }
        #expect(connection.queuedBytes == Self.queueBytesMax)
        peer.resume()
        bench.network.runUntilIdle()
        #expect(peer.takeReceived().suffix(4) == [7, 0x8a, 1, 5])
        peer.send(Bench.frame([6], .ping))
        bench.network.runUntilIdle()
        #expect(peer.takeReceived() == [0x8a, 1, 6])
        #expect(connection.isOpen)
    }

    @Test func `a pong and a close frame may both be owed`() async throws {
        let (bench, peer, connection) = try await full()
        peer.send(Bench.frame([1], .ping))
        bench.network.runUntilIdle()
        connection.close(.goingAway)
        peer.send(Bench.frame([2], .ping))
        bench.network.runUntilIdle()
        peer.resume()
        bench.network.runUntilIdle()
        #expect(peer.received.suffix(7) == [0x8a, 1, 2, 0x88, 2, 0x03, 0xe9])
    }

    @Test func `a ping behind our close frame is answered`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        bench.connections.first?.close(.goingAway)
        peer.send(Bench.frame([9], .ping) + Bench.frame("not delivered") + Bench.close(1001))
        bench.network.runUntilIdle()
        #expect(peer.received == [0x88, 2, 0x03, 0xe9, 0x8a, 1, 9])
        #expect(bench.messages.isEmpty)
    }
}
