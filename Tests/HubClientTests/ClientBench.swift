import Hub
import HubClientKit
import HubTesting
import HubTokens
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// A hub and clients of it on one simulated network; who a client is stands in its request's query.
final class ClientBench {
    static let key = ResumeKey(secret: Array(repeating: 7, count: 32))

    let application = OpenApplication()
    let world: SimulatedHub
    let webSockets: WebSocketClient
    /// Kept for as long as the bench.
    private var clients: [HubClient] = []

    init(
        seed: UInt64 = 0, faults: Faults = Faults(),
        _ configure: (inout HubConfiguration) -> Void = { _ in }
    ) async throws {
        var configuration = HubConfiguration()
        configuration.protocols = [RawProtocol(), JSONProtocol(), MessagePackProtocol()]
        configuration.resume = ResumePolicy(SignedResumeTokens(keys: [Self.key]))
        configure(&configuration)
        world = try await SimulatedHub(
            application, configuration: configuration, seed: seed, faults: faults, loops: 2)
        webSockets = WebSocketClient(group: world.group)
    }

    /// A client that was started.
    func client(
        _ who: String, _ configure: (inout HubClient.Configuration) -> Void = { _ in }
    ) -> (client: HubClient, log: EventLog) {
        var configuration = HubClient.Configuration()
        configure(&configuration)
        let log = EventLog()
        let client = HubClient(
            webSockets, WebSocketRequest(host: "localhost", target: "/ws?\(who)"),
            at: world.address, on: world.group.loops[1], configuration: configuration
        ) { log.append($0) }
        log.attach(client)
        clients.append(client)
        client.start()
        return (client, log)
    }

    /// Runs what a task does beside the network until it is done.
    @discardableResult
    func wait<Value: Sendable>(
        for work: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        let result = Mutex<Result<Value, any Error>?>(nil)
        Task(executorPreference: world.group.loops[0]) {
            let outcome: Result<Value, any Error>
            do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
            result.withLock { $0 = outcome }
        }
        try #require(
            world.network.run(within: .seconds(600)) { result.withLock { $0 != nil } })
        return try #require(result.withLock { $0 }).get()
    }

    /// Begins what runs beside the network.
    func start(_ work: @escaping @Sendable () async throws -> Void) {
        Task(executorPreference: world.group.loops[0]) { try await work() }
    }

    /// Cuts everybody off, as a restart does.
    func cutOff(code: CloseCode = .goingAway) {
        world.hub.kick(Recipients(.everyone), code: code)
    }
}

/// What a client was told.
final class EventLog: Sendable {
    private struct State {
        var events: [HubClientEvent.Content] = []
        weak var client: HubClient?
    }

    private let state = Mutex(State())

    var events: [HubClientEvent.Content] { state.withLock { $0.events } }

    func attach(_ client: HubClient) { state.withLock { $0.client = client } }

    func append(_ event: HubClientEvent) {
        let client = state.withLock { state in
            state.events.append(event.content)
            return state.client
        }
        if case .request(let id, let message) = event.content {
            client?.reply(to: id, with: Payload(text: "re: \(message.payload.text)"))
        }
    }

    var texts: [String] {
        events.compactMap {
            if case .publication(_, let message, _) = $0 { message.payload.text } else { nil }
        }
    }

    var resumptions: [Bool] {
        events.compactMap {
            if case .connected(let welcome) = $0 { welcome.isResumed } else { nil }
        }
    }

    var retries: [Duration?] {
        events.compactMap { if case .disconnected(_, let delay) = $0 { .some(delay) } else { nil } }
    }

    var subscriptions: [ServerEnvelope.Subscribed] {
        events.compactMap { if case .subscribed(let answer) = $0 { answer } else { nil } }
    }

    var inbox: [String] {
        events.compactMap {
            if case .inbox(_, let message) = $0 { message.payload.text } else { nil }
        }
    }

    var tokens: [String] {
        events.compactMap { if case .token(let token, _) = $0 { token } else { nil } }
    }
}

/// Lets everyone do everything, but in what is named `secret`.
final class OpenApplication: HubApplication {
    /// How many subscriptions it cannot take now.
    let busy = Mutex(0)
    /// When it says to ask again then.
    let hint = Mutex<Duration?>(.seconds(2))

    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        .accept(OpenHandler(user: request.query))
    }

    func authorize(_ action: ClientAction, by session: Session) -> Permission {
        guard case .subscribe(let topic) = action else { return .allow }
        guard topic != "secret" else { return .deny("not yours") }
        let isBusy = busy.withLock { count in
            count -= 1
            return count >= 0
        }
        guard isBusy else { return .allow }
        return .refuse(EventFailure(.overloaded, retryAfter: hint.withLock { $0 }))
    }
}

private final class OpenHandler: SessionHandler {
    private let user: String?

    init(user: String?) {
        self.user = user
    }

    func began(_ session: Session) {
        guard let user, user != "anonymous" else { return }
        do throws(IdentifyError) {
            try session.identify(as: user)
        } catch {
            session.close(.policyViolation, reason: "\(error)")
        }
    }

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        session.send(HubMessage(Payload(copying: message, kind: kind), event: "echo"))
    }

    func ended(_ session: Session, reason: WebSocketCloseReason) {}
}
