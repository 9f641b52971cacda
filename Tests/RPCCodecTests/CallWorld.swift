import NetPoll
import NetPollTesting
import RPC
import Synchronization
import Testing

/// A server and one client on a simulated network, on one loop in the test's own thread.
struct CallWorld {
    private let network = SimulatedNetwork(seed: 0)
    private let group: EventLoopGroup
    private let server: RPCServer

    init(_ handlers: RPCHandlers) throws {
        group = network.makeGroup()
        server = RPCServer(group: group, handlers: handlers)
    }

    /// Runs `body` with a connection, in a task on the loop.
    func run<Result: Sendable>(
        _ body: @escaping @Sendable (RPCConnection) async throws -> Result
    ) throws -> Result {
        let shared = Outcome<Result>()
        let loop = group.loops[0]
        Task(executorPreference: loop) { [server] in
            do {
                let address = try await server.listen(
                    on: try SocketAddress(host: "127.0.0.1", port: 0))
                let connection = try await RPCConnection.connect(to: address, on: loop)
                shared.end(.success(try await body(connection)))
            } catch {
                shared.end(.failure(error))
            }
        }
        _ = network.run(within: .seconds(60)) { shared.result != nil }
        return try #require(shared.result, "the task did not end").get()
    }
}

private final class Outcome<Result: Sendable>: Sendable {
    private let state = Mutex<Swift.Result<Result, any Error>?>(nil)

    func end(_ result: Swift.Result<Result, any Error>) { state.withLock { $0 = result } }

    var result: Swift.Result<Result, any Error>? { state.withLock { $0 } }
}
