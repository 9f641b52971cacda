import Hub
import HubWorlds
import HubTesting
import Logging
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// A hub on a simulated network that asks its clients for credentials.
final class DoorBench {
    let network = SimulatedNetwork(seed: 0)
    let hub: HubServer
    let application = DoorApplication()
    let authenticator = TableAuthenticator()
    let address = SocketAddress.v4(0x0100_007f, port: 80)

    init(_ configure: (inout HubConfiguration) -> Void = { _ in }) async throws {
        var configuration = HubConfiguration()
        configuration.protocols = [RawProtocol(), LineProtocol()]
        configuration.authenticator = authenticator
        let group = network.makeGroup(loops: 1)
        let loop = group.loops[0]
        configuration.calendar = {
            Timestamp(milliseconds: loop.clock.now.nanoseconds / 1_000_000)
        }
        configure(&configuration)
        hub = HubServer(
            group: group, configuration: configuration, application: application,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await hub.listen(on: address)
    }

    /// A client that asked for a session, after its welcome.
    func connect(_ target: String) throws -> SimulatedClient {
        let client = SimulatedClient(peer: try #require(network.connect(to: address)))
        client.requestUpgrade(target, subprotocol: "lines.1")
        network.run(for: .milliseconds(100))
        if client.texts.first == "welcome" { client.dropFirstText() }
        return client
    }

    /// The head of the answer to a request for a session.
    func answer(to target: String, _ field: String = "") throws -> String {
        let peer = try #require(network.connect(to: address))
        let request = """
            GET \(target) HTTP/1.1\r
            Host: localhost\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            \(field)\r\n
            """
        peer.send(Array(request.utf8))
        network.run(for: .milliseconds(100))
        return String(decoding: peer.received, as: UTF8.self)
    }

    func ask(_ client: SimulatedClient, _ line: String) -> [String] {
        client.say(line)
        network.run(for: .milliseconds(100))
        return client.takeTexts()
    }
}

/// Takes a token for the name of its user; some have their own fate.
final class TableAuthenticator: HubAuthenticator {
    let latch = Latch()

    func authenticate(_ credentials: Credentials) async -> Authentication {
        await latch.pass()
        guard
            let token = credentials.token(from: [.bearer, .cookie("token"), .query("token")])
        else { return .anonymous }
        switch token {
        case "nobody":
            return .refused(AdmissionRefusal(.unauthenticated, "who?"))
        case "old":
            return .accepted(Identity(user: "old", expiry: credentials.now))
        case "brief":
            return .accepted(Identity(user: "brief", expiry: credentials.now + .seconds(60)))
        case "ann-hall":
            return .accepted(
                Identity(user: "ann", device: "phone", topics: [TopicPattern("rooms/hall")]))
        default:
            return .accepted(
                Identity(user: token, device: "phone", topics: [TopicPattern("rooms/*")]))
        }
    }
}

/// Tells clients who they are.
final class DoorApplication: HubApplication {
    let extends = Atomic(false)

    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        .accept(DoorHandler())
    }

    func authorize(_ action: ClientAction, by session: Session) -> Permission {
        switch action {
        case .subscribe("rooms/open"): .allow
        case .subscribe("rooms/asked"): .ask { .deny("no") }
        case .subscribe("rooms/granted"): .ask { .allow }
        default: .deny("not allowed")
        }
    }

    func credentialsExpire(of session: Session) {
        session.send(HubMessage(text: "expires"))
        guard extends.load(ordering: .relaxed) else { return }
        session.extendCredentials(until: session.credentialsExpiry.map { $0 + .seconds(60) })
    }
}

private final class DoorHandler: SessionHandler {
    func began(_ session: Session) {}

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        session.send(HubMessage(text: "\(session.user ?? "-")/\(session.device ?? "-")"))
    }

    func ended(_ session: Session, reason: WebSocketCloseReason) {}
}
