import Hub
import HubTesting
import HubUpstream
import HubWebhooks
import HubWorlds
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// A hub whose events are posted to a receiver on the same simulated network.
final class WebhookBench {
    static let address = SocketAddress.v4(0x0200_000a, port: 9_000)
    static let secret = "a-secret-of-the-tests"

    let world: SimulatedHub
    let receiver: Receiver
    let events: UpstreamEvents
    private let server: WebSocketServer

    init(seed: UInt64 = 0, faults: Faults = Faults()) async throws {
        let network = SimulatedNetwork(seed: seed, faults: faults)
        let group = network.makeGroup()
        let loop = group.loops[0]
        let calendar: @Sendable () -> Timestamp = {
            Timestamp(milliseconds: 1_700_000_000_000 + loop.clock.now.nanoseconds / 1_000_000)
        }
        var settings = Webhook.Configuration()
        settings.calendar = calendar
        let secrets = try WebhookSecrets(lines: Self.secret)
        let webhook = try Webhook(
            url: "http://10.0.0.2:9000/hook?a=1", secrets: secrets, on: group.loops,
            configuration: settings)
        var upstream = UpstreamConfiguration()
        upstream.calendar = calendar
        events = UpstreamEvents(to: webhook, on: loop, configuration: upstream)
        let receiver = Receiver(secrets, calendar)
        self.receiver = receiver
        var router = HTTPRouter()
        router.on(.post, "/hook", .byTask { try await receiver.received($0) })
        let routes = router
        server = WebSocketServer(group: group) { request, _, _ in
            routes.decision(for: request)
        }
        try await server.listen(on: Self.address)
        var hub = HubConfiguration()
        hub.protocols = [RawProtocol(), LineProtocol()]
        hub.middleware = [events]
        hub.authenticator = QueryNames()
        world = try await SimulatedHub(Everyone(), configuration: hub, on: network, group: group)
    }

    func join(_ user: String) throws -> SimulatedClient {
        let client = try #require(
            world.connect("/ws?user=\(user)&device=d", subprotocol: "lines.1"))
        client.dropFirstText()
        return client
    }
}

/// What the events are posted to.
final class Receiver: Sendable {
    struct Post: Sendable {
        let target: String
        let header: [String: String]
        let event: UpstreamEvent
        let isSigned: Bool
    }

    private struct State {
        var posts: [Post] = []
        /// What the next requests are answered with; 0: not at all. Then 204.
        var statuses: [UInt16] = []
        var retryAfter: Int?
    }

    private let state = Mutex(State())
    private let secrets: WebhookSecrets
    private let calendar: @Sendable () -> Timestamp

    init(_ secrets: WebhookSecrets, _ calendar: @escaping @Sendable () -> Timestamp) {
        self.secrets = secrets
        self.calendar = calendar
    }

    var posts: [Post] { state.withLock { $0.posts } }

    func answer(with statuses: [UInt16], retryAfter: Int? = nil) {
        state.withLock { state in
            state.statuses = statuses
            state.retryAfter = retryAfter
        }
    }

    func received(_ call: HTTPCall) async throws -> HTTPResponse {
        let request = call.request
        let signature = request.header(WebhookSignature.header) ?? ""
        let header = (0..<request.headersCount).map { request.header(at: $0) }
        let post = Post(
            target: request.target,
            header: Dictionary(header.map { ($0.name, $0.value) }) { first, _ in first },
            event: try UpstreamEvent(json: call.body),
            isSigned: WebhookSignature.isValid(
                signature, for: call.body, at: calendar(), with: secrets))
        let (status, retryAfter) = state.withLock { state in
            state.posts.append(post)
            let status = state.statuses.isEmpty ? 204 : state.statuses.removeFirst()
            return (status, state.retryAfter)
        }
        if status == 0 { try await call.loop.clock.sleep(for: .seconds(3_600)) }
        var response = HTTPResponse(status: HTTPStatus(rawValue: status))
        if let retryAfter, status == 503 {
            response.headers.append(try HTTPHeader(name: "Retry-After", value: "\(retryAfter)"))
        }
        return response
    }
}
