/// Why a task cannot go on with an ``AsyncWebSocket``.
public enum WebSocketError: Error, Hashable, Sendable {
    /// The WebSocket ended.
    case closed(WebSocketCloseReason)
    /// The task was cancelled, which closes its WebSocket.
    case cancelled
    /// The message does not fit into the connection's send queue, and was not sent. `max` follows
    /// from ``/NetPoll/Connection/Limits/sendQueueBytesMax``.
    case messageTooLong(bytes: Int, max: Int)
}

extension WebSocketError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .closed(let reason): "the WebSocket is closed: \(reason)"
        case .cancelled: "the task was cancelled"
        case .messageTooLong(let bytes, let max): "message of \(bytes) bytes exceeds \(max)"
        }
    }
}
