package import Hub
package import HubTesting
import Logging
package import NetPoll
package import NetPollTesting
package import Synchronization
package import WSFrame
package import WSTransport

/// A hub on a simulated network whose clients speak ``LineProtocol``; who they are stands in their
/// request's query: `user` or `user/device`.
package final class LineBench {
    package let network: SimulatedNetwork
    package let hub: HubServer
    package let application: LineApplication
    package let address = SocketAddress.v4(0x0100_007f, port: 80)

    package init(
        seed: UInt64 = 0, faults: Faults = Faults(), loops: Int = 2,
        closesPerTurnMax: Int = 512, application: LineApplication = LineApplication(),
        _ configure: (inout HubConfiguration) -> Void = { _ in }
    ) async throws {
        network = SimulatedNetwork(seed: seed, faults: faults)
        self.application = application
        var configuration = HubConfiguration()
        configuration.protocols = [
            RawProtocol(), LineProtocol(), JSONProtocol(), MessagePackProtocol(),
        ]
        var bounds = EventLoop.Configuration()
        bounds.closesPerTurnMax = closesPerTurnMax
        let group = network.makeGroup(loops: loops, configuration: bounds)
        let loop = group.loops[0]
        configuration.calendar = { Timestamp(milliseconds: loop.clock.now.nanoseconds / 1_000_000) }
        configure(&configuration)
        hub = HubServer(
            group: group, configuration: configuration, application: application,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await hub.listen(on: address)
    }

    /// A client with a session, after its welcome.
    package func join(_ who: String, windowBytes: Int = 64 << 10) throws -> SimulatedClient {
        guard let peer = network.connect(to: address, windowBytes: windowBytes) else {
            throw BenchError.refused(who)
        }
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade("/ws?\(who)", subprotocol: "lines.1")
        let isUpgraded = network.run(within: .seconds(5)) { client.isUpgraded }
        guard isUpgraded else { throw BenchError.refused(who) }
        network.run(for: .milliseconds(50))
        if client.texts.first == "welcome" { client.dropFirstText() }
        return client
    }

    /// Lets `line` be said and answered.
    package func ask(_ client: SimulatedClient, _ line: String) -> [String] {
        client.say(line)
        network.run(for: .milliseconds(100))
        return client.takeTexts()
    }

    /// Runs what a task does beside the network until it is done.
    package func wait<Value: Sendable>(
        for work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let result = Mutex<Result<Value, any Error>?>(nil)
        let loop = hub.firstLoop
        Task(executorPreference: loop) {
            let outcome: Result<Value, any Error>
            do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
            result.withLock { $0 = outcome }
        }
        _ = network.run(within: .seconds(600)) { result.withLock { $0 != nil } }
        guard let outcome = result.withLock({ $0 }) else { throw BenchError.unfinished }
        return try outcome.get()
    }
}

/// What a bench could not do.
package enum BenchError: Error {
    /// The hub did not take this client in.
    case refused(String)
    /// Something did not end within ten minutes of the simulated clock.
    case unfinished
}

/// Lets everyone do everything but what is named `secret`.
package final class LineApplication: HubApplication {
    package let reasons = Mutex<[WebSocketCloseReason]>([])
    package let ids = Mutex<[SessionID]>([])
    package let heard = Mutex<[String]>([])
    /// Who came back, and to what.
    package let resumed = Mutex<[String]>([])
    /// Holds up what it is asked about `held`.
    package let latch = Latch()

    package init() {}

    package func admit(
        _ request: HTTPRequest, from address: SocketAddress, to hub: HubServer
    ) -> Admission {
        let who = (request.query ?? "").split(separator: "/").map(String.init)
        return .accept(LineHandler(application: self, who: who))
    }

    package func authorize(_ action: ClientAction, by session: Session) -> Permission {
        switch action {
        case .subscribe("secret"): .deny("not yours")
        case .subscribe("asked"): .ask { .allow }
        case .subscribe("held"):
            .ask { [latch] in
                await latch.pass()
                return .deny("no")
            }
        case .subscribe("denied"): .ask { .ask { .deny("no") } }
        case .subscribe("later"): .ask { .refuse(EventFailure(.rateLimited, "too fast")) }
        default: .allow
        }
    }
}

package final class LineHandler: SessionHandler {
    private let application: LineApplication
    private let who: [String]

    package init(application: LineApplication, who: [String]) {
        self.application = application
        self.who = who
    }

    package func began(_ session: Session) {
        application.ids.withLock { $0.append(session.id) }
        guard let user = who.first else { return }
        do throws(IdentifyError) {
            try session.identify(as: user, device: who.count > 1 ? who[1] : nil)
        } catch {
            session.close(.policyViolation, reason: "\(error)")
        }
    }

    package func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        let text = message.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        application.heard.withLock { $0.append(text) }
    }

    package func resumed(_ session: Session) {
        let topics = session.topics.map(\.name).sorted().joined(separator: ",")
        application.resumed.withLock { $0.append("\(session.user ?? "-") \(topics)") }
        if let topic = session.topic(named: "revoked") { session.unsubscribe(from: topic) }
    }

    package func ended(_ session: Session, reason: WebSocketCloseReason) {
        application.reasons.withLock { $0.append(reason) }
    }
}
