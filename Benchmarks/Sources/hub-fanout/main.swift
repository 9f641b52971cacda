import Hub
import Logging
import NetPoll
import WSFrame
import WSTransport

// Every message received on /b is published to all sessions on /b: what a broadcast costs in the hub.

var host = "127.0.0.1"
var port: UInt16 = 8080
var loops = 1
var arguments = CommandLine.arguments.dropFirst()
while let name = arguments.popFirst() {
    guard let value = arguments.popFirst(), let number = name == "--host" ? 0 : Int(value) else {
        preconditionFailure("usage: hub-fanout [--host ADDRESS] [--port PORT] [--loops COUNT]")
    }
    switch name {
    case "--host": host = value
    case "--port": port = UInt16(number)
    case "--loops": loops = number
    default: preconditionFailure("unknown option \(name)")
    }
}

/// Subscribes every session to the one topic, and publishes to it what comes.
final class Broadcast: HubApplication {
    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        guard let topic = hub.topic("b") else { return .refuse(HTTPResponse(status: .notFound)) }
        return .accept(Member(topic: topic))
    }
}

final class Member: SessionHandler {
    private let topic: Topic

    init(topic: Topic) {
        self.topic = topic
    }

    func began(_ session: Session) {
        do {
            _ = try session.subscribe(to: topic)
        } catch {
            session.close(.tryAgainLater)
        }
    }

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        topic.publish(Publication(PreparedMessage(message, kind: kind), durability: .transient))
    }

    func ended(_ session: Session, reason: WebSocketCloseReason) {}
}

var group = EventLoopGroup.Configuration()
group.loops = loops
var configuration = HubConfiguration()
configuration.endpoint = "/b"
configuration.origins = .any
let hub = HubServer(
    group: try EventLoopGroup(configuration: group), configuration: configuration,
    application: Broadcast(), logger: Logger(label: "hub-fanout"))
let address = try await hub.listen(on: SocketAddress(host: host, port: port))
print("hub-fanout listens on \(address)")
while true { try await Task.sleep(for: .seconds(3_600)) }
