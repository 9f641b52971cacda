public import NetPoll
public import WSFrame

/// A request that was answered, for access logs and metrics.
public struct HTTPAccess: Sendable {
    public let request: HTTPRequest
    /// The client's address; behind a proxy of ``WebSocketServer/Configuration/proxies`` what that
    /// says.
    public let remoteAddress: SocketAddress
    /// What was answered; 101 for a WebSocket.
    public let status: HTTPStatus
    /// Bytes of the request's body.
    public let requestBodyBytes: Int
    /// Bytes of the response's body; 0 for HEAD.
    public let responseBodyBytes: Int
    /// From the request's whole head to its answer, which may still be on its way.
    public let duration: Duration
}
