public import NetPoll
public import WSFrame

/// Opens WebSockets to servers, on any loop of a group.
///
///     let client = WebSocketClient(group: group)
///     client.connect(to: address, .init(host: "localhost"), on: loop, handler: Echo()) { result in
///         if case .failure(let error) = result { report(error) }
///     }
public final class WebSocketClient: Sendable {
    /// A WebSocket that was just opened.
    public struct Opened {
        public let connection: WebSocketConnection
        /// The server's answer: its headers, and the subprotocol it chose.
        public let opening: WebSocketOpening
    }

    /// Called once, on the loop.
    public typealias Completion = (Result<Opened, WebSocketClientError>) -> Void

    /// The loops it may be used on.
    public let group: EventLoopGroup
    /// The settings in force.
    public let configuration: Configuration

    private let shards: ClientShards
    /// Those of tasks, which are given messages whole and may send the longest.
    private let taskShards: ClientShards
    let resolver: any Resolver

    /// - Parameters:
    ///   - group: The loops to be used on.
    ///   - configuration: Limits, timeouts and the proxy.
    ///   - resolver: Finds the addresses of hosts, off the loops.
    public init(
        group: EventLoopGroup, configuration: Configuration = .init(),
        resolver: any Resolver = SystemResolver.shared
    ) {
        self.group = group
        self.configuration = configuration
        self.resolver = resolver
        shards = ClientShards(group: group, configuration: configuration)
        var forTasks = configuration
        forTasks.delivery = .whole
        forTasks.connect.limits.leaveRoomForTasks(sending: configuration.limits)
        taskShards =
            forTasks == configuration
            ? shards : ClientShards(group: group, configuration: forTasks)
    }

    /// Opens a WebSocket at the request's host.
    ///
    /// A name is resolved off the loop, and its addresses are tried with Happy Eyeballs v2 (RFC
    /// 8305), all within ``/NetPoll/ConnectConfiguration/timeout``. With a proxy it is the proxy's
    /// name that is resolved; the proxy resolves the host's.
    ///
    ///     let request = try WebSocketRequest(url: "ws://chat.example.com/rooms")
    ///     client.connect(request, on: loop, handler: Echo())
    ///
    /// Otherwise as ``connect(to:_:on:handler:completion:)``.
    @discardableResult
    public func connect(
        _ request: WebSocketRequest, on loop: EventLoop, handler: any WebSocketHandler,
        completion: @escaping Completion = { _ in }
    ) -> WebSocketAttempt {
        start(
            nil, request, on: shards.shard(of: loop), loop, handler: handler,
            completion: completion)
    }

    /// Connects to `address` and opens a WebSocket there, whatever host the request names.
    ///
    /// Through a proxy, if there is one, it is the request's host that the tunnel leads to.
    ///
    /// To be called on `loop`. `completion` is called once, never before this returns; on success
    /// ``WebSocketHandler/opened(_:)`` follows it, and ``WebSocketHandler/closed(_:reason:)`` in the
    /// end. On failure the handler is told nothing.
    ///
    /// - Parameters:
    ///   - address: The server: TCP, or a Unix socket.
    ///   - request: What to ask for.
    ///   - loop: One of the group's loops, which will own the connection.
    ///   - handler: Receives the events of the WebSocket.
    ///   - completion: Is told the outcome.
    /// - Returns: The attempt, for whoever may want to cancel it.
    @discardableResult
    public func connect(
        to address: SocketAddress, _ request: WebSocketRequest, on loop: EventLoop,
        handler: any WebSocketHandler, completion: @escaping Completion = { _ in }
    ) -> WebSocketAttempt {
        start(
            .address(address), request, on: shards.shard(of: loop), loop, handler: handler,
            completion: completion)
    }

    /// As ``connect(to:_:on:handler:completion:)``, for a task.
    func start(
        _ destination: Destination?, _ request: WebSocketRequest, on loop: EventLoop,
        task: AsyncWebSocketCore, completion: @escaping Completion
    ) -> WebSocketAttempt {
        start(
            destination, request, on: taskShards.shard(of: loop), loop, handler: task,
            completion: completion)
    }

    private func start(
        _ destination: Destination?, _ request: WebSocketRequest, on shard: ClientShard,
        _ loop: EventLoop, handler: any WebSocketHandler, completion: @escaping Completion
    ) -> WebSocketAttempt {
        let attempt = ClientExchange(
            shard: shard, destination: destination, request: request, handler: handler,
            completion: completion)
        attempt.start(on: loop, resolver)
        return WebSocketAttempt(attempt)
    }
}

/// A WebSocket on its way to be opened; used on its loop only.
///
/// It need not be kept: the attempt goes on without it.
public final class WebSocketAttempt {
    private weak var exchange: ClientExchange?

    init(_ exchange: ClientExchange) {
        self.exchange = exchange
    }

    /// Gives the attempt up: its completion is called with
    /// ``WebSocketClientError/Reason/cancelled`` before this returns. Without effect once the
    /// completion was called.
    public func cancel() { exchange?.fail(.cancelled) }
}
