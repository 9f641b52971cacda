import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

/// A simulated network with one loop, in the test's own thread, and tasks that run on it.
protocol SimulatedWorld {
    var network: SimulatedNetwork { get }
    var group: EventLoopGroup { get }
}

extension SimulatedWorld {
    var loop: EventLoop { group.loops[0] }

    /// Runs `body` in a task on the loop until it ends, within simulated time.
    func run<Result: Sendable>(
        within duration: Duration = .seconds(120),
        _ body: @escaping @Sendable () async throws -> Result
    ) throws -> Result {
        let running = start(body)
        _ = network.run(within: duration) { running.isOver }
        return try #require(running.result, "a task did not end").get()
    }

    /// Starts a task on the loop.
    func start<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) -> Running<Result> {
        let running = Running<Result>()
        running.task = Task(executorPreference: loop) {
            do {
                running.end(.success(try await body()))
            } catch {
                running.end(.failure(error))
            }
        }
        return running
    }
}

/// A task and what came of it.
///
/// `@unchecked Sendable`: ``task`` is used by the test's own thread only.
final class Running<Result: Sendable>: @unchecked Sendable {
    private let outcome = Mutex<[Swift.Result<Result, any Error>]>([])
    var task: Task<Void, Never>?

    func end(_ result: Swift.Result<Result, any Error>) { outcome.withLock { $0.append(result) } }

    var isOver: Bool { outcome.withLock { !$0.isEmpty } }
    var result: Swift.Result<Result, any Error>? { outcome.withLock { $0.first } }

    /// What it gave.
    var value: Result? {
        guard case .success(let value) = result else { return nil }
        return value
    }

    var isSuccess: Bool { value != nil }

    /// The error it ended with.
    var error: RPCError? {
        guard case .failure(let error) = result else { return nil }
        return error as? RPCError
    }
}
