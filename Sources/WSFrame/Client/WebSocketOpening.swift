/// A server's answer that opened a WebSocket.
public struct WebSocketOpening: Sendable {
    /// The answer's head, with whatever headers the server added.
    public let head: HTTPResponseHead
    /// The subprotocol the server chose among those offered, or `nil` for none.
    public let subprotocol: String?
    /// The compression agreed on, or `nil` for none.
    public let compression: PerMessageDeflate?
}
