import Hub
import HubTesting
import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// Everyone is in one room.
final class Chat: HubApplication {
    func admit(
        _ request: HTTPRequest, from address: SocketAddress, to hub: HubServer
    ) -> Admission {
        guard let room = hub.topic("room") else {
            return .refuse(HTTPResponse(status: .serviceUnavailable))
        }
        return .accept(Guest(room: room))
    }
}

final class Guest: SessionHandler {
    let room: Topic

    init(room: Topic) { self.room = room }

    func began(_ session: Session) {
        do { try session.follow(room) } catch { session.close(.tryAgainLater) }
    }

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        room.publish(Publication(PreparedMessage(message, kind: kind)))
    }

    func ended(_ session: Session, reason: WebSocketCloseReason) {}
}

@Test func `what one says the others hear, also who did not read for a minute`() async throws {
    let world = try await SimulatedHub(Chat())
    let ann = try #require(world.connect("/ws?ann"))
    let bob = try #require(world.connect("/ws?bob", windowBytes: 4_096))
    bob.peer.stall()
    ann.say("hello")
    world.run(for: .seconds(50))
    bob.peer.resume()
    world.run(for: .seconds(1))
    #expect(bob.takeTexts() == ["hello"])
}
