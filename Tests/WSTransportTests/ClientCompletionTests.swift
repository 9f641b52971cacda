import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// Opens WebSockets and says nothing more.
private final class Mute: ConnectionHandler, Sendable {
    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        var parser = HTTPRequestParser()
        guard case .request(let head, _)? = try? parser.parse(bytes.bytes),
            let upgrade = try? WebSocketHandshake.validate(head)
        else { return }
        connection.write(upgrade.response().span.bytes)
    }
}

private final class Reasons: WebSocketHandler {
    var calls: [String] = []

    func opened(_ connection: WebSocketConnection) { calls.append("opened") }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {}

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        calls.append("\(reason)")
    }
}

@Suite("A client's completion", .timeLimit(.minutes(10)))
struct ClientCompletionTests {
    @Test func `a close in it has the closing handshake's timeout`() async throws {
        let network = SimulatedNetwork(seed: 0)
        let group = network.makeGroup(loops: 1)
        let address = SocketAddress.v4(0x0100_007f, port: 81)
        _ = try group.loops[0].listen(on: address) { _, _ in Mute() }
        let client = WebSocketClient(group: group)
        let reasons = Reasons()
        client.connect(
            to: address, WebSocketRequest(host: "a"), on: group.loops[0], handler: reasons
        ) { result in
            if case .success(let opened) = result { opened.connection.close() }
        }
        network.run(for: .milliseconds(4_900))
        #expect(reasons.calls == ["opened"])
        network.run(for: .milliseconds(200))
        #expect(reasons.calls == ["opened", "closeTimedOut"])
    }
}
