import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

/// A pool of connections to a ``FakeServer``, all on one simulated loop.
final class PoolWorld {
    let network: SimulatedNetwork
    let loop: EventLoop
    let server: FakeServer
    let pool: ConnectionPool<FakeServer.Link>

    init(
        keepAlive: Bool = false,
        _ configure: (inout PoolConfiguration) -> Void = { _ in },
        server prepare: (FakeServer) -> Void = { _ in },
        connector change: (inout PoolConnector<FakeServer.Link>) -> Void = { _ in }
    ) {
        network = SimulatedNetwork()
        loop = network.makeLoop()
        server = FakeServer(loop: loop)
        prepare(server)
        var configuration = PoolConfiguration()
        configuration.lifetimeJitter = 0
        configure(&configuration)
        var connector = keepAlive ? server.connectorWithKeepAlive() : server.connector()
        change(&connector)
        pool = ConnectionPool(configuration: configuration, connector: connector, on: loop)
    }

    /// Starts a task on the loop.
    @discardableResult
    func start<Result: Sendable>(
        _ body:
            @escaping @Sendable (ConnectionPool<FakeServer.Link>, EventLoop) async throws
            -> Result
    ) -> Started<Result> {
        let started = Started<Result>()
        let (pool, loop) = (pool, loop)
        started.task.withLock { task in
            task = Task(executorPreference: loop) {
                do {
                    started.finish(.success(try await body(pool, loop)))
                } catch {
                    started.finish(.failure(error))
                }
            }
        }
        network.runUntilIdle()
        return started
    }

    /// Runs a task on the loop to its end, moving the clock as far as it needs.
    func run<Result: Sendable>(
        within time: Duration = .seconds(600),
        _ body:
            @escaping @Sendable (ConnectionPool<FakeServer.Link>, EventLoop) async throws
            -> Result
    ) throws -> Result {
        let started = start(body)
        let isDone = network.run(within: time) { started.isFinished }
        try #require(isDone, "not done within \(time)")
        return try started.result()
    }

    /// What a task came to.
    final class Started<Value: Sendable>: Sendable {
        let task = Mutex<Task<Void, Never>?>(nil)
        private let outcome = Mutex<Result<Value, any Error>?>(nil)

        var isFinished: Bool { outcome.withLock { $0 != nil } }

        func finish(_ result: Result<Value, any Error>) { outcome.withLock { $0 = result } }

        func result() throws -> Value { try #require(outcome.withLock { $0 }).get() }

        var error: PoolError? {
            guard case .failure(let error)? = outcome.withLock({ $0 }) else { return nil }
            return error as? PoolError
        }

        func cancel() { task.withLock { $0?.cancel() } }
    }
}
