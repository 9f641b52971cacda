import ConnPool
import Hub
import HubHTTP
import HubTesting
import HubUpstream
import HubWorlds
import NetPoll
import NetPollTesting
import RPC
import Synchronization
import Testing

/// A hub whose application is a server on the same simulated network; clients are who their query says.
final class UpstreamBench {
    let world: SimulatedHub
    let application: Application
    let events: UpstreamEvents
    static let address = SocketAddress.v4(0x0200_000a, port: 4_100)

    init(
        seed: UInt64 = 0, faults: Faults = Faults(), asks: Bool = false,
        whenAway: ApplicationAuthenticator.AwayPolicy = .refuse(retryAfter: .seconds(5)),
        _ configure: (inout UpstreamConfiguration) -> Void = { _ in }
    ) async throws {
        let network = SimulatedNetwork(seed: seed, faults: faults)
        let group = network.makeGroup()
        let loop = group.loops[0]
        var upstream = UpstreamConfiguration()
        upstream.calendar = {
            Timestamp(milliseconds: loop.clock.now.nanoseconds / 1_000_000)
        }
        configure(&upstream)
        let caller = RPCApplication(at: .address(Self.address), on: group.loops)
        events = UpstreamEvents(to: caller, on: group.loops[0], configuration: upstream)
        var hub = HubConfiguration()
        hub.protocols = [RawProtocol(), LineProtocol()]
        hub.middleware = [events]
        hub.authenticator =
            asks
            ? ApplicationAuthenticator(caller, after: QueryNames(), whenAway: whenAway)
            : QueryNames()
        world = try await SimulatedHub(
            Everyone(), configuration: hub, on: network, group: group)
        application = Application()
        try await application.serve(on: group, at: Self.address)
    }

    /// A client of a user, after its welcome; `nil` where it is refused.
    func join(_ user: String) throws -> SimulatedClient? {
        let client = try #require(
            world.connect("/ws?user=\(user)&device=d", subprotocol: "lines.1"))
        guard client.isUpgraded else { return nil }
        client.dropFirstText()
        return client
    }
}

/// What the hub calls.
final class Application: Sendable {
    struct State {
        var events: [UpstreamEvent] = []
        var questions: [ConnectQuestion] = []
        /// What is answered in place of having an event; asked for each.
        var failure: RPCError?
        var answer: (@Sendable (ConnectQuestion) throws -> ConnectAnswer)?
        var server: RPCServer?
    }

    let state = Mutex(State())

    /// The events it has, without those that came again.
    var events: [UpstreamEvent] {
        var known: Set<String> = []
        return state.withLock { $0.events }.filter { known.insert($0.id).inserted }
    }

    /// What one user's sessions did, in short.
    func story(of user: String) -> [String] {
        events.filter { $0.user == user }.map { event in
            switch event.kind {
            case .connected: "+"
            case .message(let message): message.payload.text
            case .disconnected(let ending): "-\(ending.rawValue)"
            }
        }
    }

    func serve(on group: EventLoopGroup, at address: SocketAddress) async throws {
        var handlers = RPCHandlers()
        handlers.handle(UpstreamService.event, on: .loop) { event, _ in
            try self.state.withLock { state in
                if let failure = state.failure { throw failure }
                state.events.append(event)
            }
            return DoneAnswer()
        }
        handlers.handle(UpstreamService.connect, on: .loop) { question, _ in
            let answer = self.state.withLock { state in
                state.questions.append(question)
                return state.answer
            }
            return try answer?(question) ?? .asFound
        }
        let server = RPCServer(group: group, handlers: handlers)
        try await server.listen(on: address)
        state.withLock { $0.server = server }
    }

    /// Ends its server; to be called by a task of the simulation.
    func stop() async {
        let server = state.withLock { state in
            defer { state.server = nil }
            return state.server
        }
        await server?.drain(deadline: .seconds(1))
    }
}
