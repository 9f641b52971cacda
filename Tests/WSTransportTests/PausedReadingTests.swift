import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("Reading that a handler pauses", .timeLimit(.minutes(10)))
struct PausedReadingTests {
    /// A connection whose handler pauses with the first message, and that is sent 400 KB.
    private func paused(
        isCompressed: Bool
    ) async throws -> (bench: Bench, peer: SimulatedPeer, connection: WebSocketConnection) {
        let bench = try await Bench { if isCompressed { $0.compression = .shared } }
        bench.echoes = false
        bench.onMessage = { $0.pauseReading() }
        let peer = try CompressingPeer(bench, offering: isCompressed ? CompressingPeer.offer : nil)
        for number in 0..<40 {
            peer.send("\(number) \(String(repeating: "x", count: 10_000))")
        }
        bench.network.runUntilIdle()
        return (bench, peer.peer, try #require(bench.connections.first))
    }

    @Test(arguments: [false, true])
    func `nothing more comes until it is resumed, and nothing is lost`(
        isCompressed: Bool
    ) async throws {
        let (bench, peer, connection) = try await paused(isCompressed: isCompressed)
        if isCompressed {
            #expect(bench.messages.count == 1)
        } else {
            #expect((1..<40).contains(bench.messages.count))
        }
        let before = bench.messages.count
        // Its peer is not taken for silent meanwhile.
        bench.network.run(for: .seconds(600))
        #expect(bench.messages.count == before && connection.isOpen)
        bench.onMessage = nil
        connection.resumeReading()
        bench.network.runUntilIdle()
        #expect(bench.messages.count == 40)
        #expect(
            bench.messages.enumerated().allSatisfy { number, message in
                message.bytes.starts(with: Array("\(number) ".utf8))
            })
        #expect(!peer.isEnded)
    }

    @Test(arguments: [false, true])
    func `a close resumes it, and the peer's answer is heard`(isCompressed: Bool) async throws {
        let (bench, peer, connection) = try await paused(isCompressed: isCompressed)
        let before = bench.messages.count
        connection.close(.goingAway)
        // Without effect from here on.
        connection.pauseReading()
        peer.send(Bench.close(1001))
        bench.network.runUntilIdle()
        #expect(peer.closeCode == 1001 && peer.isEnded && !peer.isReset)
        #expect(bench.messages.count == before)
        peer.close()
        bench.network.runUntilIdle()
        #expect(bench.reasons == [.local(.goingAway)])
    }

    /// A client that pauses with the first message.
    private final class Pausing: WebSocketHandler {
        var calls: [String] = []

        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            calls.append("received")
            connection.pauseReading()
        }

        func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
            calls.append("\(reason)")
        }
    }

    @Test func `a client that paused sees the server's end behind its close frame`() async throws {
        let bench = try await Bench()
        bench.onOpen = {
            $0.send(text: "the last")
            $0.close(.goingAway)
        }
        let client = WebSocketClient(group: bench.server.group)
        let handler = Pausing()
        client.connect(
            to: bench.address, WebSocketRequest(host: "a"), on: bench.server.group.loops[0],
            handler: handler)
        bench.network.run(for: .seconds(1))
        #expect(handler.calls == ["received", "\(WebSocketCloseReason.peer(.goingAway))"])
        #expect(bench.reasons == [.local(.goingAway)])
    }

    @Test(arguments: [false, true])
    func `a pause that ends within the message changes nothing`(isCompressed: Bool) async throws {
        let bench = try await Bench { if isCompressed { $0.compression = .shared } }
        bench.echoes = false
        bench.onMessage = { connection in
            connection.pauseReading()
            connection.resumeReading()
        }
        let peer = try CompressingPeer(bench, offering: isCompressed ? CompressingPeer.offer : nil)
        for _ in 0..<40 { peer.send(String(repeating: "x", count: 10_000)) }
        bench.network.runUntilIdle()
        #expect(bench.messages.count == 40)
    }
}
