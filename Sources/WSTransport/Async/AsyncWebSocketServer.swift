public import NetPoll
public import WSFrame

/// Serves every WebSocket by a task of its own, and plain HTTP/1.1 requests on the same port.
///
/// ```swift
/// let server = AsyncWebSocketServer(group: group)
/// let address = try await server.listen(on: SocketAddress(host: "127.0.0.1", port: 8080))
/// await server.serve { connection in
///     for try await message in connection.messages { try await connection.send(message) }
/// }
/// ```
///
/// WebSockets that were opened and not yet taken by ``serve(_:)`` wait, at most 1,024 of them;
/// further upgrades are answered 503.
public final class AsyncWebSocketServer: Sendable {
    /// What to do with a request.
    public enum Decision: Sendable {
        /// Answer 101 and serve the WebSocket by a task, with one of the subprotocols the client
        /// offered or none; one it did not offer is left out. `compression` may spare a client that
        /// breaks on compressed messages. `headers`, such as cookies, go into the answer; what the
        /// handshake says itself is left out of them.
        case upgrade(
            subprotocol: String? = nil,
            compression: WebSocketServer.CompressionRule = .asConfigured,
            headers: [HTTPHeader] = [])
        /// Answer this.
        case respond(HTTPResponse)
        /// Read the request's body, then let the responder answer.
        case answer(HTTPResponder)
    }

    /// Decides about each request, on the loop of its connection.
    public typealias Accept =
        @Sendable (HTTPRequest, EventLoop, _ remoteAddress: SocketAddress) -> Decision

    private let server: WebSocketServer
    private let queue: AcceptQueue<AsyncWebSocket>

    /// Makes a server that upgrades every request that asks for it.
    ///
    /// - Parameters:
    ///   - group: The loops to serve on.
    ///   - configuration: As for ``init(group:configuration:screen:observe:accept:)``.
    public convenience init(
        group: EventLoopGroup, configuration: WebSocketServer.Configuration = .init()
    ) {
        self.init(group: group, configuration: configuration) { _, _, _ in .upgrade() }
    }

    // `accept` has no default: with one, a closure that trails the call would be the screen.
    /// Makes a server that decides about each request.
    ///
    /// - Parameters:
    ///   - group: The loops to serve on.
    ///   - configuration: Limits and timeouts. Messages are delivered whole, whatever it says, and a
    ///     connection's queue has room for the longest message that may be received.
    ///   - screen: May refuse a request while its head still arrives.
    ///   - observe: Is told of failed handshakes, for logs and metrics.
    ///   - accept: Decides about each request whose head is whole and valid.
    public init(
        group: EventLoopGroup, configuration: WebSocketServer.Configuration = .init(),
        screen: HTTPScreen? = nil, observe: @escaping WebSocketServer.Observe = { _, _ in },
        accept: @escaping Accept
    ) {
        var configuration = configuration
        configuration.delivery = .whole
        configuration.connection.leaveRoomForTasks(sending: configuration.limits)
        let queue = AcceptQueue<AsyncWebSocket>()
        self.queue = queue
        server = WebSocketServer(
            group: group, configuration: configuration, screen: screen, observe: observe
        ) { request, loop, address in
            switch accept(request, loop, address) {
            case .respond(let response): return .respond(response)
            case .answer(let responder): return .answer(responder)
            case .upgrade(let wanted, let compression, let headers):
                guard queue.hasRoom else {
                    return .respond(HTTPResponse(status: .serviceUnavailable))
                }
                let subprotocol = wanted.flatMap { Self.isOffered($0, in: request) ? $0 : nil }
                let core = AsyncWebSocketCore(
                    on: loop, request: request, subprotocol: subprotocol
                ) { queue.push(AsyncWebSocket($0)) }
                return .upgrade(
                    core, subprotocol: subprotocol, compression: compression, headers: headers)
            }
        }
    }

    private static func isOffered(_ subprotocol: String, in request: HTTPRequest) -> Bool {
        // A request that is no valid upgrade offers nothing, and is answered so.
        guard let upgrade = try? WebSocketHandshake.validate(request) else { return false }
        return upgrade.subprotocols.contains(subprotocol)
    }

    /// How many WebSockets are open, over all loops.
    public var connectionCount: Int { server.connectionCount }

    /// Starts to listen at `address`; may be called for several.
    ///
    /// - Returns: The address, with the port the kernel chose where 0 was asked for.
    /// - Throws: ``/NetPoll/SystemError``, for example EADDRINUSE or EACCES.
    @discardableResult
    public func listen(on address: SocketAddress) async throws(SystemError) -> SocketAddress {
        try await server.listen(on: address)
    }

    /// Serves every WebSocket by a task that runs `body` on the WebSocket's loop, until
    /// ``drain(code:deadline:)``.
    ///
    /// When `body` returns its WebSocket is closed with 1000, where it throws with 1011, and the
    /// others go on. Cancelling the caller drains the server: every task is cancelled, and every
    /// WebSocket closed with 1001. Returns when all of them have ended. To be called once.
    public func serve(
        _ body: @escaping @Sendable (AsyncWebSocket) async throws -> Void
    ) async {
        guard let loop = server.group.loops.first else { return }
        await withDiscardingTaskGroup { tasks in
            // Accepting needs a loop as well: its tasks are begun without a change of thread.
            tasks.addTask(executorPreference: loop) { [server, queue] in
                await withDiscardingTaskGroup { connections in
                    while let connection = await Self.next(in: queue) {
                        connections.addTask(executorPreference: connection.loop) {
                            // What `body` throws ends this WebSocket and concerns no other.
                            try? await connection.loop.resident.serve(connection, body)
                        }
                    }
                    if Task.isCancelled { await server.drain() }
                }
            }
        }
    }

    private static func next(in queue: AcceptQueue<AsyncWebSocket>) async -> AsyncWebSocket? {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { queue.take($0) }
        } onCancel: {
            queue.finish()
        }
    }

    /// Stops listening, closes every WebSocket with `code` and waits for the peers' answers; what is
    /// left at the deadline is aborted. ``serve(_:)`` returns once its tasks have ended.
    ///
    /// Call it once, before the group is shut down.
    public func drain(code: CloseCode = .goingAway, deadline: Duration = .seconds(10)) async {
        await server.drain(code: code, deadline: deadline)
        queue.finish()
    }
}

extension LoopResident {
    /// Runs `body` on the loop as ``AsyncWebSocket/withLifetime(_:)`` does.
    fileprivate func serve(
        _ connection: AsyncWebSocket, _ body: @Sendable (AsyncWebSocket) async throws -> Void
    ) async throws {
        try await connection.withLifetime(body)
    }
}
