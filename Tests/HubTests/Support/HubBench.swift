import Hub
import HubTesting
import Logging
import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// A hub on a simulated network, with an application that does what its clients tell it.
final class HubBench {
    let network: SimulatedNetwork
    let hub: HubServer
    let application = ScriptedApplication()
    private(set) var address = SocketAddress.v4(0x0100_007f, port: 80)

    init(
        seed: UInt64 = 0, faults: Faults = Faults(), loops: Int = 1,
        _ configure: (inout HubConfiguration) -> Void = { _ in }
    ) async throws {
        network = SimulatedNetwork(seed: seed, faults: faults)
        var configuration = HubConfiguration()
        configure(&configuration)
        hub = HubServer(
            group: network.makeGroup(loops: loops), configuration: configuration,
            application: application,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        address = try await hub.listen(on: address)
    }

    /// A client with a session, which is of `user` if one is given.
    func join(user: String? = nil, windowBytes: Int = 64 << 10) throws -> SimulatedClient {
        let peer = try #require(network.connect(to: address, windowBytes: windowBytes))
        let client = SimulatedClient(peer: peer)
        client.requestUpgrade()
        let isUpgraded = network.run(within: .seconds(5)) { client.isUpgraded }
        try #require(isUpgraded)
        if let user { client.say("user \(user)") }
        network.runUntilIdle()
        return client
    }

    /// The response to one HTTP request, head and body.
    func response(to request: String) throws -> String {
        let peer = try #require(network.connect(to: address))
        peer.send(Array(request.utf8))
        network.run(for: .milliseconds(100))
        return String(decoding: peer.received, as: UTF8.self)
    }
}

/// Does what clients tell it, each message being a command and its words:
///
/// `user NAME`, `join TOPIC [EPOCH OFFSET]`, `leave TOPIC`, `say TOPIC TEXT`, `hint TOPIC TEXT` (not
/// stored), `burst TOPIC COUNT`, `echo TEXT`, `close CODE`.
final class ScriptedApplication: HubApplication {
    struct Record {
        var reasons: [WebSocketCloseReason] = []
        var outcomes: [PublishOutcome] = []
        var ids: [SessionID] = []
    }

    let record = Mutex(Record())

    var reasons: [WebSocketCloseReason] { record.withLock { $0.reasons } }
    var outcomes: [PublishOutcome] { record.withLock { $0.outcomes } }
    var ids: [SessionID] { record.withLock { $0.ids } }

    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        if request.query == "refuse" {
            return .refuse(HTTPResponse(status: .unauthorized, text: "who?\n"))
        }
        return .accept(ScriptedHandler(application: self, hub: hub))
    }

    func presenceChanged(_ changes: PresenceChanges, in topic: Topic) -> PreparedMessage? {
        let joined = changes.joined.joined(separator: ",")
        let left = changes.left.joined(separator: ",")
        return PreparedMessage(text: "who \(topic.name) \(changes.count) +\(joined) -\(left)")
    }
}

final class ScriptedHandler: SessionHandler {
    private let application: ScriptedApplication
    private let hub: HubServer

    init(application: ScriptedApplication, hub: HubServer) {
        self.application = application
        self.hub = hub
    }

    func began(_ session: Session) {
        application.record.withLock { $0.ids.append(session.id) }
    }

    func ended(_ session: Session, reason: WebSocketCloseReason) {
        application.record.withLock { $0.reasons.append(reason) }
    }

    func received(_ message: RawSpan, kind: MessageKind, from session: Session) {
        let text = message.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        let words = text.split(separator: " ", maxSplits: 2).map(String.init)
        do {
            try obey(words, session)
        } catch {
            session.send(text: "error \(error)")
        }
    }

    private func obey(_ words: [String], _ session: Session) throws {
        switch words[0] {
        case "user": try session.identify(as: words[1])
        case "join": try join(words, session)
        case "leave": session.unsubscribe(from: try topic(words[1]))
        case "say": publish(try topic(words[1]), words[2])
        case "hint":
            let message = PreparedMessage(text: "h \(words[1]) \(words[2])")
            try topic(words[1]).publish(Publication(message, durability: .transient))
        case "burst":
            let topic = try topic(words[1])
            for number in 0..<(Int(words[2]) ?? 0) { publish(topic, "\(number)") }
        case "echo": session.send(text: words.dropFirst().joined(separator: " "))
        case "close": session.close(CloseCode(rawValue: UInt16(words[1]) ?? 1_000))
        default: session.send(text: "error unknown command")
        }
    }

    private func topic(_ name: String) throws -> Topic {
        try #require(hub.topic(name))
    }

    private func publish(_ topic: Topic, _ text: String) {
        let head = "m \(topic.name) "
        let template = Array("\(head)\(Publication.offsetPlaceholder) \(text)".utf8)
        let outcome = topic.publish(
            Publication(template: template, kind: .text, offsetAt: head.utf8.count))
        application.record.withLock { $0.outcomes.append(outcome) }
    }

    private func join(_ words: [String], _ session: Session) throws {
        var position: TopicPosition?
        if words.count > 2 {
            let parts = words[2].split(separator: " ").map(String.init)
            if let epoch = Epoch(parts[0]), let offset = UInt64(parts[1]) {
                position = TopicPosition(epoch: epoch, offset: offset)
            }
        }
        let snapshot = try session.subscribe(
            to: try topic(words[1]), after: position, usersMax: 100)
        let users = snapshot.users.sorted().joined(separator: ",")
        let head = "state \(words[1]) \(snapshot.position.epoch) \(snapshot.position.offset)"
        session.send(text: "\(head) \(snapshot.isRecovered) [\(users)] \(snapshot.messages.count)")
        // The history follows as it was published.
        for message in snapshot.messages { session.send(message) }
    }
}
