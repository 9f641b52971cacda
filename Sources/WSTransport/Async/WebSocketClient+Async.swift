public import NetPoll
public import WSFrame

extension WebSocketClient {
    /// Opens a WebSocket, for a task.
    ///
    /// The caller ends it by ``AsyncWebSocket/close(_:reason:)``, ``AsyncWebSocket/abort()`` or
    /// ``AsyncWebSocket/withLifetime(_:)``; see ``withConnection(_:at:on:_:)``, which does so itself.
    /// Messages are delivered whole, whatever the configuration's `delivery` says, and the connection's
    /// queue has room for the longest message that may be received.
    ///
    /// - Parameters:
    ///   - request: What to ask for.
    ///   - address: The server; `nil`, the default, for the request's host.
    ///   - loop: One of the group's loops, which will own the WebSocket.
    /// - Returns: The WebSocket, open.
    /// - Throws: ``WebSocketClientError``; where the task is cancelled with
    ///   ``WebSocketClientError/Reason/cancelled``.
    public func connect(
        _ request: WebSocketRequest, at address: SocketAddress? = nil, on loop: EventLoop
    ) async throws(WebSocketClientError) -> AsyncWebSocket {
        try await WebSocketDial(self, request, address, loop).connect().get()
    }

    /// Opens a WebSocket, runs `body` on its loop and closes it.
    ///
    /// Where `body` throws it is closed with 1011, where the task is cancelled with 1001.
    ///
    /// - Parameters:
    ///   - request: What to ask for.
    ///   - address: The server; `nil`, the default, for the request's host.
    ///   - loop: One of the group's loops, which will own the WebSocket.
    ///   - body: Uses the WebSocket, which has ended when this returns.
    /// - Returns: What `body` returns.
    /// - Throws: ``WebSocketClientError``, or what `body` throws.
    @concurrent
    public func withConnection<Result: Sendable>(
        _ request: WebSocketRequest, at address: SocketAddress? = nil, on loop: EventLoop,
        _ body: @escaping @Sendable (AsyncWebSocket) async throws -> Result
    ) async throws -> Result {
        try await withTaskExecutorPreference(loop) {
            let connection = try await connect(request, at: address, on: loop)
            return try await connection.withLifetime(body)
        }
    }
}
