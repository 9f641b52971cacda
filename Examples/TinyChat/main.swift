import Hub
import Logging
import NetPoll
import WSFrame
import WSTransport

final class Chat: HubApplication {
    func admit(_ request: HTTPRequest, from: SocketAddress, to hub: HubServer) -> Admission {
        guard let room = hub.topic("lobby") else { return .refuse(HTTPResponse(status: .notFound)) }
        return .accept(Guest(request.queryValue("name") ?? "somebody", in: room))
    }
}
final class Guest: SessionHandler {
    let (name, room): (String, Topic)
    init(_ name: String, in room: Topic) { (self.name, self.room) = (name, room) }
    func began(_ session: Session) {
        let lobby = try? session.subscribe(to: room)  // A full room stays silent.
        for message in lobby?.messages ?? [] { session.send(message) }
    }
    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        let text = message.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        room.publish(Publication(text: "\(name): \(text)"))
    }
    func ended(_ session: Session, reason: WebSocketCloseReason) {}
}
let port = UInt16(CommandLine.arguments.last ?? "") ?? 8080
let hub = HubServer(group: try EventLoopGroup(), application: Chat(), logger: Logger(label: "chat"))
print("ws://\(try await hub.listen(on: SocketAddress(host: "127.0.0.1", port: port)))/ws")
for await _ in try ProcessSignal.events(.interrupt, .terminate) { break }
await hub.drain(deadline: .seconds(5))
