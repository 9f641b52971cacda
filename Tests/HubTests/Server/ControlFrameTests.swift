import Hub
import HubTesting
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("Control frames of slow sessions, on the simulated network")
struct ControlFrameTests {
    private struct ControlFrame: Equatable {
        let opcode: Opcode
        let payload: [UInt8]
    }

    /// The control frames in what a client received, and how many other frames there are.
    private static func frames(
        in bytes: [UInt8]
    ) throws -> (control: [ControlFrame], messages: Int) {
        var decoder = FrameDecoder(role: .client)
        var cursor = 0
        var opcode = Opcode.text
        var payload: [UInt8] = []
        var found: (control: [ControlFrame], messages: Int) = ([], 0)
        while let event = try decoder.next(
            in: bytes.span.bytes, at: &cursor, limits: ProtocolLimits())
        {
            switch event {
            case .header(let header):
                opcode = header.opcode
                payload = []
            case .payload(let range, _, let isLast):
                payload += bytes[range]
                guard isLast else { continue }
                if opcode.isControl {
                    found.control.append(ControlFrame(opcode: opcode, payload: payload))
                } else {
                    found.messages += 1
                }
            }
        }
        return found
    }

    private static let overflows: [UnicastLimits.Overflow] = [.dropNewest, .dropOldest, .close]

    private static let policies: [SlowSubscriberPolicy] = [
        .catchUp, .skipToLatest, .skipToOldest, .conflate, .close(.tryAgainLater),
    ]

    @Test(arguments: overflows, policies)
    func `pings, pongs and the close go out, whatever is dropped`(
        overflow: UnicastLimits.Overflow, policy: SlowSubscriberPolicy
    ) async throws {
        let bench = try await HubBench {
            $0.unicast.messagesMax = 4
            $0.unicast.overflow = overflow
            $0.topic.slowSubscribers = policy
            $0.topic.waitingMessagesMax = 4
            $0.topic.historyMessagesMax = 8
            $0.heartbeat = Heartbeat(interval: .seconds(2), timeout: .seconds(60))
        }
        let client = try bench.join(windowBytes: 4 << 10)
        client.say("join a")
        bench.network.run(for: .milliseconds(500))
        let topic = try #require(bench.hub.existingTopic("a"))
        let text = String(repeating: "x", count: 1_000)
        _ = client.peer.takeReceived()
        client.peer.stall()

        // As much as the network takes, and a little that waits.
        for _ in 0..<6 {
            topic.publish(Publication(PreparedMessage(text: text)))
            bench.network.run(for: .milliseconds(1))
        }
        client.send(Array("there?".utf8), .ping)
        bench.network.run(for: .milliseconds(2_100))
        // More than the topic's ring and the session's own queue have room for.
        for _ in 0..<20 {
            topic.publish(Publication(PreparedMessage(text: text)))
            client.say("echo \(text)")
            bench.network.run(for: .milliseconds(1))
        }
        client.send(Array("still?".utf8), .ping)
        client.say("close 1000")
        bench.network.run(for: .milliseconds(100))
        client.peer.resume()
        bench.network.run(for: .seconds(1))

        let (control, messages) = try Self.frames(in: client.peer.received)
        #expect(messages < 46, "nothing was dropped")
        var isClosedEarly = overflow == .close
        if case .close = policy { isClosedEarly = true }
        let pong = ControlFrame(opcode: .pong, payload: Array("there?".utf8))
        let ping = ControlFrame(opcode: .ping, payload: [])
        let second = ControlFrame(opcode: .pong, payload: Array("still?".utf8))
        // One that was closed before it sent its second ping is answered all the same (RFC 6455 §5.5.2).
        let last = control.filter { $0.opcode != .close }
        #expect(last == [pong, ping, second])
        #expect(control[isClosedEarly ? 2 : 3].opcode == .close)
        #expect(client.closeCode == (isClosedEarly ? 1_013 : 1_000))
    }
}
