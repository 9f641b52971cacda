import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

/// A pool over several fake servers, named a, b, c …, all on one simulated loop.
final class EndpointWorld {
    let network = SimulatedNetwork()
    let loop: EventLoop
    let servers: [String: FakeServer]
    let pool: EndpointPool<Visit>

    /// A connection, and whose it is.
    struct Visit: Sendable {
        let name: String
        let link: FakeServer.Link
    }

    init(
        _ names: String = "abc", policy: any BalancingPolicy = .roundRobin,
        spare: String = "", _ configure: (inout EndpointPoolConfiguration) -> Void = { _ in }
    ) {
        let loop = network.makeLoop()
        var servers: [String: FakeServer] = [:]
        for name in names + spare { servers[String(name)] = FakeServer(loop: loop) }
        var configuration = EndpointPoolConfiguration()
        configuration.balancing.policy = policy
        configuration.pool.lifetimeJitter = 0
        configure(&configuration)
        pool = EndpointPool(
            endpoints: names.map { Endpoint(name: String($0)) }, configuration: configuration,
            on: loop
        ) { [servers] endpoint in Self.connector(servers[endpoint.name], endpoint.name) }
        (self.loop, self.servers) = (loop, servers)
    }

    private static func connector(_ server: FakeServer?, _ name: String) -> PoolConnector<Visit> {
        guard let connector = server?.connector() else { preconditionFailure("no server \(name)") }
        return PoolConnector { reporter in
            Visit(name: name, link: try await connector.connect(reporter))
        } close: { visit, reason in
            await connector.close(visit.link, reason)
        }
    }

    subscript(name: String) -> FakeServer {
        guard let server = servers[name] else { preconditionFailure("no server \(name)") }
        return server
    }

    /// What is known of an endpoint.
    func entry(_ name: String) throws -> EndpointPoolSnapshot.Entry {
        try #require(pool.snapshot.entries.first { $0.endpoint.name == name })
    }

    /// Starts a task on the loop, which must end by itself.
    func start<Result: Sendable>(
        _ body: @escaping @Sendable (EndpointPool<Visit>, EventLoop) async throws -> Result
    ) -> Outcome<Result> {
        let outcome = Outcome<Result>()
        let (pool, loop) = (pool, loop)
        outcome.task = Task(executorPreference: loop) {
            do {
                outcome.result = .success(try await body(pool, loop))
            } catch {
                outcome.result = .failure(error)
            }
        }
        network.runUntilIdle()
        return outcome
    }

    /// Runs a task on the loop to its end, moving the clock as far as it needs.
    func run<Result: Sendable>(
        _ body: @escaping @Sendable (EndpointPool<Visit>, EventLoop) async throws -> Result
    ) throws -> Result {
        let outcome = start(body)
        let isDone = network.run(within: .seconds(600)) { outcome.result != nil }
        try #require(isDone, "not done within 600 s")
        return try #require(outcome.result).get()
    }

    /// The names of the endpoints that so many requests, one after another, went to.
    func names(_ count: Int, key: AffinityKey? = nil) throws -> String {
        try run { pool, _ in
            var names = ""
            for _ in 0..<count { names += try await pool.withConnection(key: key) { $0.name } }
            return names
        }
    }

    /// What a task came to.
    final class Outcome<Value: Sendable>: Sendable {
        private let state = Mutex<(task: Task<Void, Never>?, result: Result<Value, any Error>?)>(
            (nil, nil))

        var task: Task<Void, Never>? {
            get { state.withLock { $0.task } }
            set { state.withLock { $0.task = newValue } }
        }

        var result: Result<Value, any Error>? {
            get { state.withLock { $0.result } }
            set { state.withLock { $0.result = newValue } }
        }

        var error: EndpointPoolError? {
            guard case .failure(let error)? = result else { return nil }
            return error as? EndpointPoolError
        }
    }
}
