import Foundation
import Hub
import HubTesting
import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("SimulatedHub")
struct KitTests {
    @Test func `what one says the others hear, also who did not read for a minute`() async throws {
        let world = try await SimulatedHub(Relay())
        let ann = try #require(world.connect("/ws?ann"))
        let bob = try #require(world.connect("/ws?bob", windowBytes: 4_096))
        bob.peer.stall()
        ann.say("hello")
        ann.send([1, 2], .binary)
        world.run(for: .seconds(20))
        bob.peer.resume()
        world.run(for: .seconds(1))
        #expect(bob.takeTexts() == ["hello"])
        #expect(bob.binaries == [[1, 2]])
    }

    /// The example is built and run with the tests, so what the article shows compiles.
    @Test func `the article's example is the one of these tests`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let article = folder.appending(
            path: "../../../Sources/HubTesting/HubTesting.docc/HubTesting.md"
        ).standardized
        let example = folder.appending(path: "ChatTests.swift")
        let shown = try String(contentsOf: article, encoding: .utf8)
        #expect(shown.contains("```swift\n\(try String(contentsOf: example, encoding: .utf8))```"))
    }
}

/// Gives everyone what one says.
private final class Relay: HubApplication {
    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        guard let topic = hub.topic("all") else {
            return .refuse(HTTPResponse(status: .serviceUnavailable))
        }
        return .accept(RelayHandler(topic: topic))
    }
}

private final class RelayHandler: SessionHandler {
    private let topic: Topic

    init(topic: Topic) {
        self.topic = topic
    }

    func began(_ session: Session) {
        do { try session.follow(topic) } catch { session.close(.tryAgainLater) }
    }

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        topic.publish(Publication(PreparedMessage(message, kind: kind)))
    }

    func ended(_ session: Session, reason: WebSocketCloseReason) {}
}
