import Hub
import HubWorlds
import HubSQLite
import Logging
import NetPoll
import Testing
import WSFrame
import WSTransport

@Suite("A hub on a file, with real loops and clients", .timeLimit(.minutes(5)))
struct HubOnSQLiteTests {
    @Test func `clients go on from the history after a restart`() async throws {
        let file = try StoreFile()
        let place = try await RunningHub.with(file) { hub in
            var ann = try await hub.connect("ann")
            let place = try await ann.ask("sub 1 a", until: { $0.hasPrefix("sub a ") })
            for number in 1...50 {
                _ = try await ann.ask(
                    "pub \(number) a stored - m\(number)",
                    until: { $0 == "published \(number) \(number)" })
            }
            return place
        }
        let epoch = try #require(place.split(separator: " ").dropFirst(2).first)
        try await RunningHub.with(file) { hub in
            var ann = try await hub.connect("ann")
            let answer = try await ann.ask("sub 1 a \(epoch) 20", until: { $0.hasPrefix("sub a ") })
            #expect(answer == "sub a \(epoch) 20 true")
            for number in 21...50 {
                #expect(try await ann.next() == "pub a \(number) ann m\(number)")
            }
            _ = try await ann.ask("pub 9 a stored - new", until: { $0 == "pub a 51 ann new" })
        }
    }

    @Test func `inboxes deliver again after a restart, and not what was acknowledged`()
        async throws
    {
        let file = try StoreFile()
        try await RunningHub.with(file) { hub in
            for number in 1...5 {
                let outcome = try await hub.hub.deposit(
                    HubMessage(text: "m\(number)"), for: "ann", idempotencyKey: "k\(number)")
                #expect(outcome == .stored(InboxID(rawValue: UInt64(number))))
            }
            var ann = try await hub.connect("ann")
            for number in 1...5 { #expect(try await ann.next() == "inbox \(number) m\(number)") }
            try await ann.say("ack 1 3")
            // An answer tells that it was read; the store has it when the hub has ended.
            _ = try await ann.ask("ping 7", until: { $0 == "pong 7" })
            while try await hub.hub.unacknowledged(of: "ann").messages.count != 3 {
                await Task.yield()
            }
        }
        try await RunningHub.with(file) { hub in
            let again = try await hub.hub.deposit(
                HubMessage(text: "m5"), for: "ann", idempotencyKey: "k5")
            #expect(again == .duplicate(InboxID(rawValue: 5)))
            var ann = try await hub.connect("ann")
            for number in [2, 4, 5] {
                #expect(try await ann.next() == "inbox \(number) m\(number)")
            }
        }
    }
}

/// A hub on loops of its own, with its store in a file, and clients that speak lines.
private struct RunningHub: Sendable {
    let hub: HubServer
    let group: EventLoopGroup
    let address: SocketAddress

    /// Runs a hub for as long as `body` takes.
    static func with<Value: Sendable>(
        _ file: StoreFile, _ body: (RunningHub) async throws -> Value
    ) async throws -> Value {
        let store = try file.open()
        var settings = EventLoopGroup.Configuration()
        settings.loops = 2
        let group = try EventLoopGroup(configuration: settings)
        var configuration = HubConfiguration()
        configuration.protocols = [LineProtocol()]
        configuration.store = store
        configuration.inbox = InboxPolicy()
        let hub = HubServer(
            group: group, configuration: configuration, application: Open(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let address = try await hub.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
        let running = RunningHub(hub: hub, group: group, address: address)
        let result: Result<Value, any Error>
        do { result = .success(try await body(running)) } catch { result = .failure(error) }
        await hub.drain(deadline: .seconds(10))
        await store.close()
        await group.shutdown()
        return try result.get()
    }

    /// A client that is a user, after its welcome.
    func connect(_ user: String) async throws -> Client {
        let request = WebSocketRequest(
            host: "localhost", target: "/ws?\(user)", subprotocols: ["lines.1"])
        let socket = try await WebSocketClient(group: group)
            .connect(request, at: address, on: group.loops[0])
        var client = Client(socket: socket)
        #expect(try await client.next() == "welcome")
        return client
    }

    struct Client {
        let socket: AsyncWebSocket
        private var lines: AsyncWebSocket.Messages.Iterator

        init(socket: AsyncWebSocket) {
            self.socket = socket
            lines = socket.messages.makeAsyncIterator()
        }

        func say(_ line: String) async throws { try await socket.send(text: line) }

        mutating func next() async throws -> String {
            guard let line = try await lines.next()?.text else { throw Ended() }
            return line
        }

        /// Says something, and waits for a line.
        mutating func ask(_ line: String, until isAnswer: (String) -> Bool) async throws -> String {
            try await say(line)
            while true {
                let line = try await next()
                if isAnswer(line) { return line }
            }
        }

        struct Ended: Error {}
    }
}

/// Everyone may everything, and is who the query says.
private final class Open: HubApplication {
    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        .accept(Handler(user: request.query ?? ""))
    }

    func authorize(_ action: ClientAction, by session: Session) -> Permission { .allow }

    private final class Handler: SessionHandler {
        private let user: String

        init(user: String) {
            self.user = user
        }

        func began(_ session: Session) {
            do throws(IdentifyError) {
                try session.identify(as: user)
            } catch {
                session.close()
            }
        }

        func received(_ message: RawSpan, kind: MessageKind, from session: Session) {}

        func ended(_ session: Session, reason: WebSocketCloseReason) {}
    }
}
