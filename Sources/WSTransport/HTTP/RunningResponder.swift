import NetPoll
import WSFrame

/// A responder's task and the exchange that waits for its answer.
///
/// `@unchecked Sendable`: everything is touched on the exchange's loop only, which the task prefers.
final class RunningResponder: @unchecked Sendable {
    private var exchange: HTTPExchange?
    private var task: Task<Void, Never>?

    init(_ exchange: HTTPExchange) {
        self.exchange = exchange
    }

    func start(
        _ call: HTTPCall, _ respond: @escaping @Sendable (HTTPCall) async throws -> HTTPResponse
    ) {
        task = Task(executorPreference: call.loop) { [self] in
            do {
                finished(.success(try await respond(call)))
            } catch {
                finished(.failure(error))
            }
        }
    }

    /// Asks the task to end; its answer is still taken.
    func cancel() { task?.cancel() }

    /// Asks the task to end; nobody waits for its answer any more.
    func abandon() {
        exchange = nil
        task?.cancel()
        task = nil
    }

    private func finished(_ result: Result<HTTPResponse, any Error>) {
        guard let exchange else { return }
        self.exchange = nil
        task = nil
        exchange.responded(result)
    }
}
