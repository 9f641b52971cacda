import Hub
import HubTesting
import Logging
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// A hub on a simulated network whose clients speak ``LineProtocol``; who they are stands in their
/// request's query: `user` or `user/device`.
final class LineBench {
    let network: SimulatedNetwork
    let hub: HubServer
    let application: LineApplication
    let address = SocketAddress.v4(0x0100_007f, port: 80)

    init(
        seed: UInt64 = 0, faults: Faults = Faults(), loops: Int = 2,
        application: LineApplication = LineApplication(),
        _ configure: (inout HubConfiguration) -> Void = { _ in }
    ) async throws {
        network = SimulatedNetwork(seed: seed, faults: faults)
        self.application = application
        var configuration = HubConfiguration()
        configuration.protocols = [RawProtocol(), LineProtocol()]
        let group = network.makeGroup(loops: loops)
        let loop = group.loops[0]
        configuration.calendar = { Timestamp(milliseconds: loop.clock.now.nanoseconds / 1_000_000) }
        configure(&configuration)
        hub = HubServer(
            group: group, configuration: configuration, application: application,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await hub.listen(on: address)
    }

    /// A client with a session, after its welcome.
    func join(_ who: String, windowBytes: Int = 64 << 10) throws -> SimulatedClient {
        let peer = try #require(network.connect(to: address, windowBytes: windowBytes))
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade("/ws?\(who)", subprotocol: "lines.1")
        let isUpgraded = network.run(within: .seconds(5)) { client.isUpgraded }
        try #require(isUpgraded)
        network.run(for: .milliseconds(50))
        if client.texts.first == "welcome" { client.dropFirstText() }
        return client
    }

    /// Lets `line` be said and answered.
    func ask(_ client: SimulatedClient, _ line: String) -> [String] {
        client.say(line)
        network.run(for: .milliseconds(100))
        return client.takeTexts()
    }

    /// Runs what a task does beside the network until it is done.
    func wait<Value: Sendable>(
        for work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let result = Mutex<Result<Value, any Error>?>(nil)
        let loop = hub.firstLoop
        Task(executorPreference: loop) {
            let outcome: Result<Value, any Error>
            do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
            result.withLock { $0 = outcome }
        }
        let isDone = network.run(within: .seconds(600)) { result.withLock { $0 != nil } }
        try #require(isDone)
        return try #require(result.withLock { $0 }).get()
    }
}

/// Lets everyone do everything but what is named `secret`.
final class LineApplication: HubApplication {
    let reasons = Mutex<[WebSocketCloseReason]>([])
    let ids = Mutex<[SessionID]>([])
    let heard = Mutex<[String]>([])

    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        let who = (request.query ?? "").split(separator: "/").map(String.init)
        return .accept(LineHandler(application: self, who: who))
    }

    func authorize(_ action: ClientAction, by session: Session) -> Permission {
        switch action {
        case .subscribe("secret"): .deny("not yours")
        case .subscribe("asked"): .ask { .allow }
        case .subscribe("denied"): .ask { .ask { .deny("no") } }
        default: .allow
        }
    }
}

final class LineHandler: SessionHandler {
    private let application: LineApplication
    private let who: [String]

    init(application: LineApplication, who: [String]) {
        self.application = application
        self.who = who
    }

    func began(_ session: Session) {
        application.ids.withLock { $0.append(session.id) }
        guard let user = who.first else { return }
        do throws(IdentifyError) {
            try session.identify(as: user, device: who.count > 1 ? who[1] : nil)
        } catch {
            session.close(.policyViolation, reason: "\(error)")
        }
    }

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        let text = message.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        application.heard.withLock { $0.append(text) }
    }

    func ended(_ session: Session, reason: WebSocketCloseReason) {
        application.reasons.withLock { $0.append(reason) }
    }
}
