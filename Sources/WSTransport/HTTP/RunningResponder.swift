import NetPoll
import WSFrame

/// A responder's task and the exchange that waits for its answer.
///
/// `@unchecked Sendable`: everything but constants is touched on that loop only, which the task prefers.
final class RunningResponder: @unchecked Sendable {
    typealias Waiter = UnsafeContinuation<Void, any Error>

    let loop: EventLoop
    /// The most of a body that is written at once.
    let pieceBytes: Int
    private var exchange: HTTPExchange?
    private var task: Task<Void, Never>?
    /// Tasks that wait until the client took what was written; with what they write then, or `nil`
    /// where that was theirs.
    private var waiters: [(bytes: [UInt8]?, waiter: Waiter)] = []

    init(_ exchange: HTTPExchange, on connection: Connection) {
        self.exchange = exchange
        loop = connection.loop
        // A piece may be a chunk, and the end of the body come behind it.
        pieceBytes = HTTPExchange.pieceBytes(connection.limits, framingBytes: 32)
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
        // The queue's bound holds for what several tasks write, too.
        guard waiters.isEmpty, !exchange.streamAwaitsFall else {
            return waiters.append((bytes, waiter))
        }
        write(bytes, waiter, to: exchange)
    }

    /// The client took what was written.
    func resumeWriters() {
        while let exchange, !exchange.streamAwaitsFall, !waiters.isEmpty {
            let (bytes, waiter) = waiters.removeFirst()
            if let bytes { write(bytes, waiter, to: exchange) } else { waiter.resume() }
        }
    }

    private func write(_ bytes: [UInt8], _ waiter: Waiter, to exchange: HTTPExchange) {
        if exchange.writeChunk(bytes) {
            waiter.resume()
        } else if self.exchange == nil {
            waiter.resume(throwing: CancellationError())
        } else {
            waiters.insert((nil, waiter), at: 0)
        }
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
            for (_, waiter) in left { waiter.resume(throwing: CancellationError()) }
        }
        return exchange
    }
}
