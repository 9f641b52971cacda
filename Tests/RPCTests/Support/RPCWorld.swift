import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

/// The service of the tests.
enum Echo: RPCService {
    static let serviceName = "test.Echo"
    static let echo = unary("Echo", [UInt8].self, [UInt8].self)
    static let inline = unary("Inline", [UInt8].self, [UInt8].self)
    static let fail = unary("Fail", [UInt8].self, [UInt8].self)
    static let wait = unary("Wait", [UInt8].self, [UInt8].self)
    static let missing = unary("Missing", [UInt8].self, [UInt8].self)
}

/// What handlers saw.
final class Witness: Sendable {
    struct Seen {
        var started = 0
        var cancelled = 0
        var metadata: [RPCMetadata] = []
        var deadlines: [Instant?] = []
    }

    let seen = Mutex(Seen())

    func note(_ change: (inout Seen) -> Void) { seen.withLock { change(&$0) } }

    var started: Int { seen.withLock { $0.started } }
    var cancelled: Int { seen.withLock { $0.cancelled } }
}

/// A server and its clients on a simulated network, all on one loop in the test's own thread.
final class RPCWorld: SimulatedWorld {
    let network: SimulatedNetwork
    let group: EventLoopGroup
    let server: RPCServer
    let witness: Witness
    private(set) var address = SocketAddress.v4(0, port: 0)

    init(
        seed: UInt64 = 0, faults: Faults = Faults(), configuration: RPCConfiguration = .init(),
        witness: Witness = Witness(), handlers: RPCHandlers? = nil, loops: Int = 1,
        closesPerTurnMax: Int = 512
    ) throws {
        self.witness = witness
        network = SimulatedNetwork(seed: seed, faults: faults)
        var loop = EventLoop.Configuration()
        loop.closesPerTurnMax = closesPerTurnMax
        group = network.makeGroup(loops: loops, configuration: loop)
        server = RPCServer(
            group: group, handlers: handlers ?? Self.handlers(witness), configuration: configuration
        )
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        address = try run { [server] in try await server.listen(on: any) }
    }

    static func handlers(_ witness: Witness) -> RPCHandlers {
        var handlers = RPCHandlers()
        handlers.handle(Echo.echo, on: .loop) { request, context in
            witness.note {
                $0.started += 1
                $0.metadata.append(context.metadata)
                $0.deadlines.append(context.deadline)
            }
            return request
        }
        handlers.handleBytesInline(Echo.inline) { request, _, reply in reply.append(request) }
        handlers.handle(Echo.fail, on: .loop) { request, _ in
            struct Secret: Error {}
            if request.isEmpty { throw Secret() }
            throw RPCError(
                .notFound, "no such thing", details: [.init(typeURL: "type/a", value: request)])
        }
        handlers.handle(Echo.wait, on: .loop) { request, _ in
            witness.note { $0.started += 1 }
            // Ends when its task is cancelled.
            let (stream, continuation) = AsyncStream<Void>.makeStream()
            for await _ in stream {}
            withExtendedLifetime(continuation) {}
            witness.note { $0.cancelled += 1 }
            return request
        }
        return handlers
    }

    func connect(
        _ configuration: RPCConfiguration = .init(), handlers: RPCHandlers = .init()
    ) throws -> RPCConnection {
        try run { [address, loop] in
            try await RPCConnection.connect(
                to: address, on: loop, configuration: configuration, handlers: handlers)
        }
    }

    /// Makes extensions negotiated on `connection`.
    func negotiate(_ connection: RPCConnection) throws {
        _ = try run { try await connection.call(Echo.echo, []) }
        network.runUntilIdle()
    }
}
