import MessagePackRPC
import NetPoll
import NetPollTesting
import Synchronization
import Testing

/// A server and its clients on a simulated network, on one loop in the test's own thread.
final class PeerWorld {
    let network: SimulatedNetwork
    let group: EventLoopGroup
    let server: MessagePackRPCServer
    private(set) var address = SocketAddress.v4(0, port: 0)

    var loop: EventLoop { group.loops[0] }

    init(
        seed: UInt64 = 0, faults: Faults = Faults(),
        _ configuration: MessagePackRPCConfiguration = .init(),
        handlers: MessagePackRPCHandlers, closesPerTurnMax: Int = 512
    ) throws {
        network = SimulatedNetwork(seed: seed, faults: faults)
        var loop = EventLoop.Configuration()
        loop.closesPerTurnMax = closesPerTurnMax
        group = network.makeGroup(configuration: loop)
        server = MessagePackRPCServer(
            group: group, handlers: handlers, configuration: configuration)
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        address = try run { [server] in try await server.listen(on: any) }
    }

    /// Runs `body` in a task on the loop until it ends, within simulated time.
    func run<Result: Sendable>(
        within duration: Duration = .seconds(120),
        _ body: @escaping @Sendable () async throws -> Result
    ) throws -> Result {
        let running = start(body)
        _ = network.run(within: duration) { running.result != nil }
        return try #require(running.result, "a task did not end").get()
    }

    func start<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) -> Running<Result> {
        let running = Running<Result>()
        running.task.withLock {
            $0 = Task(executorPreference: loop) {
                do {
                    running.end(.success(try await body()))
                } catch {
                    running.end(.failure(error))
                }
            }
        }
        return running
    }

    func connect(
        _ configuration: MessagePackRPCConfiguration = .init(),
        handlers: MessagePackRPCHandlers = .init()
    ) throws -> MessagePackRPCConnection {
        try run { [address, loop] in
            try await MessagePackRPCConnection.connect(
                to: address, on: loop, configuration: configuration, handlers: handlers)
        }
    }
}

/// A task and what came of it.
final class Running<Value: Sendable>: Sendable {
    let task = Mutex<Task<Void, Never>?>(nil)
    private let outcome = Mutex<Result<Value, any Error>?>(nil)

    func end(_ result: Result<Value, any Error>) { outcome.withLock { $0 = result } }

    func cancel() { task.withLock { $0?.cancel() } }

    var result: Result<Value, any Error>? { outcome.withLock { $0 } }

    var error: MessagePackRPCError? {
        guard case .failure(let error) = result else { return nil }
        return error as? MessagePackRPCError
    }
}

/// What handlers saw.
final class Witness: Sendable {
    private let seen = Mutex<[String]>([])

    func note(_ what: String) { seen.withLock { $0.append(what) } }

    var all: [String] { seen.withLock { $0 } }
}

extension MessagePackRPCHandlers {
    /// add, fail, wait (until it is cancelled), relay (calls the caller back) and the notification
    /// note.
    static func standard(_ witness: Witness) -> MessagePackRPCHandlers {
        var handlers = MessagePackRPCHandlers()
        handlers.handle("add", on: .loop) { parameters, _ in
            let (first, second) = try parameters.decode(Int.self, Int.self)
            return first + second
        }
        handlers.handle("nothing", on: .loop) { parameters, _ in
            witness.note("nothing \(parameters.encoded.count)")
        }
        handlers.handle("bytes", on: .loop) { parameters, _ in
            [UInt8](repeating: 7, count: try parameters.decode(Int.self))
        }
        handlers.handle("fail", on: .loop) { parameters, _ -> Int in
            struct Secret: Error {}
            let decoded: Int? = try parameters.decode(Int?.self)
            guard let code = decoded else { throw Secret() }
            throw try MessagePackRPCFault(encoding: Numbered(code: code, text: "no such thing"))
        }
        handlers.handle("wait", on: .loop) { _, _ in
            witness.note("waits")
            let (stream, continuation) = AsyncStream<Void>.makeStream()
            for await _ in stream {}
            withExtendedLifetime(continuation) {}
            witness.note("waited")
        }
        handlers.handle("relay", on: .loop) { parameters, context in
            let text = try parameters.decode(String.self)
            return try await context.connection.call("upper", text, returning: String.self)
        }
        handlers.handleNotification("note") { parameters, context in
            let text = try? parameters.decode(String.self)
            witness.note("\(context.method) \(text ?? "unfit")")
        }
        return handlers
    }
}

/// As neovim's errors are.
struct Numbered: Codable, Equatable {
    let code: Int
    let text: String

    init(code: Int, text: String) {
        self.code = code
        self.text = text
    }

    init(from decoder: any Decoder) throws {
        var array = try decoder.unkeyedContainer()
        code = try array.decode(Int.self)
        text = try array.decode(String.self)
    }

    func encode(to encoder: any Encoder) throws {
        var array = encoder.unkeyedContainer()
        try array.encode(code)
        try array.encode(text)
    }
}
