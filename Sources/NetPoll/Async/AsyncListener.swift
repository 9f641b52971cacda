/// Listening sockets whose connections are served by tasks: an asynchronous sequence of them.
///
/// ```swift
/// let listener = try await group.listen(on: address)
/// await listener.serve { connection in
///     for try await bytes in connection.inbound { try await connection.write(bytes) }
/// }
/// ```
///
/// The sequence ends when the listener is closed, its group shut down or the task cancelled; what was
/// accepted before and not taken, at most about 1,024 connections, still comes first. A listener that
/// nobody holds any more closes itself and aborts the connections that were not taken.
/// One task iterates at a time. While 1,024 accepted connections wait to be taken, the listener accepts
/// no more; they wait in the backlog. Their high watermark is at most half of their
/// ``Connection/Limits/sendQueueBytesMax``.
public final class AsyncListener: AsyncSequence, Sendable {
    public typealias Element = AsyncConnection
    public typealias Failure = Never

    /// The address it listens on, with the port the kernel chose where 0 was asked for.
    public let address: SocketAddress

    private let queue: AcceptQueue<AsyncConnection>
    private let seats: [ListenerSeat]

    init(address: SocketAddress, queue: AcceptQueue<AsyncConnection>, seats: [ListenerSeat]) {
        self.address = address
        self.queue = queue
        self.seats = seats
    }

    // Nobody can take what is accepted from here on, nor what waits.
    deinit {
        close()
        queue.abandon()
    }

    /// Stops accepting; accepted connections live on, also those that were not taken yet.
    public func close() {
        for seat in seats { seat.close() }
    }

    /// Serves every connection by a task of its own, which runs `body` on the connection's loop.
    ///
    /// When `body` returns, the connection is closed; where it throws, it is aborted, and the others
    /// go on. Cancelling the caller closes the listener and aborts all connections. Returns when the
    /// listener is closed and every connection has ended.
    public func serve(
        _ body: @escaping @Sendable (AsyncConnection) async throws -> Void
    ) async {
        guard let loop = seats.first?.loop else { return }
        await withDiscardingTaskGroup { tasks in
            // Accepting needs a loop as well: its tasks are begun without a change of thread.
            tasks.addTask(executorPreference: loop) {
                await withDiscardingTaskGroup { connections in
                    for await connection in self {
                        connections.addTask(executorPreference: connection.loop) {
                            // What `body` throws ends this connection and concerns no other.
                            try? await connection.loop.resident.serve(connection, body)
                        }
                    }
                }
            }
        }
    }

    public func makeAsyncIterator() -> Iterator { Iterator(listener: self) }

    /// Takes connections from a listener.
    public struct Iterator: AsyncIteratorProtocol {
        let listener: AsyncListener

        /// The next connection, or `nil` when there will be no more.
        public mutating func next() async -> AsyncConnection? {
            await next(isolation: #isolation)
        }

        /// The next connection, or `nil` when there will be no more.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async -> AsyncConnection? {
            let listener = listener
            return await withTaskCancellationHandler(
                operation: { await listener.nextConnection(isolation: actor) },
                onCancel: { listener.close() },
                isolation: actor)
        }
    }

    private func nextConnection(isolation actor: isolated (any Actor)?) async -> AsyncConnection? {
        await withUnsafeContinuation(isolation: actor) {
            (taker: AcceptQueue<AsyncConnection>.Taker) in
            guard queue.take(taker) else { return }
            for seat in seats { seat.release() }
        }
    }
}
