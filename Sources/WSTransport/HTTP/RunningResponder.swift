import NetPoll
import WSFrame

/// A responder's task and the exchange that waits for its answer.
///
/// `@unchecked Sendable`: everything but ``loop`` is touched on that loop only, which the task prefers.
final class RunningResponder: @unchecked Sendable {
    typealias Waiter = UnsafeContinuation<Void, any Error>

    let loop: EventLoop
    private var exchange: HTTPExchange?
    private var task: Task<Void, Never>?
    /// Tasks that wait until the client took what was written.
    private var waiters: [Waiter] = []

    init(_ exchange: HTTPExchange, on loop: EventLoop) {
        self.exchange = exchange
        self.loop = loop
    }

    // MARK: - Whole answers

    func start(
        _ call: HTTPCall, _ respond: @escaping @Sendable (HTTPCall) async throws -> HTTPResponse
    ) {
        task = Task(executorPreference: loop) { [self] in
            do {
                let response = try await respond(call)
                take()?.responded(.success(response))
            } catch {
                take()?.responded(.failure(error))
            }
        }
    }

    // MARK: - Decisions

    func start(_ question: @escaping WebSocketServer.Question) {
        task = Task(executorPreference: loop) { [self] in
            do {
                let decide = try await question()
                take()?.decided(.success(decide))
            } catch {
                take()?.decided(.failure(error))
            }
        }
    }

    // MARK: - Streams

    func start(
        _ call: HTTPCall, _ respond: @escaping @Sendable (HTTPCall) async throws -> HTTPStream
    ) {
        task = Task(executorPreference: loop) { [self] in
            let stream: HTTPStream
            do {
                stream = try await respond(call)
            } catch {
                take()?.responded(.failure(error))
                return
            }
            guard exchange?.beginStream(stream.head) ?? false else { return }
            do {
                try await stream.produce(HTTPBodyWriter(running: self))
                take()?.endStream()
            } catch {
                take()?.breakStream(error)
            }
        }
    }

    func write(_ bytes: [UInt8], _ waiter: Waiter) {
        guard let exchange else { return waiter.resume(throwing: CancellationError()) }
        if exchange.writeChunk(bytes) {
            waiter.resume()
        } else if self.exchange == nil {
            waiter.resume(throwing: CancellationError())
        } else {
            waiters.append(waiter)
        }
    }

    /// The client took what was written.
    func resumeWriters() {
        let resumed = waiters
        waiters = []
        for waiter in resumed { waiter.resume() }
    }

    // MARK: - The end

    /// Asks the task to end; its answer is still taken.
    func cancel() { task?.cancel() }

    /// Asks the task to end; nobody waits for its answer any more.
    func abandon() {
        task?.cancel()
        _ = take()
    }

    /// The exchange, which is let go of.
    private func take() -> HTTPExchange? {
        defer {
            exchange = nil
            task = nil
            let left = waiters
            waiters = []
            for waiter in left { waiter.resume(throwing: CancellationError()) }
        }
        return exchange
    }
}
