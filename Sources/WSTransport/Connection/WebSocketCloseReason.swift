public import NetPoll
public import WSFrame

/// Why a WebSocket connection ended.
public enum WebSocketCloseReason: Hashable, Sendable {
    /// The peer sent a close frame, with this code (`nil`: none, RFC 6455 §7.1.5).
    case peer(CloseCode?)
    /// This side closed with this code, and then the transport ended, whether or not the peer
    /// answered first.
    case local(CloseCode)
    /// The peer broke the protocol; the violation's code was sent.
    case violation(ProtocolViolation)
    /// The peer took no messages until its queue passed its bound.
    case slowConsumer
    /// Nothing was heard for ``Heartbeat/timeout``.
    case heartbeatTimedOut
    /// A frame or message that the peer began brought nothing more for
    /// ``WebSocketServer/Configuration/inputStallTimeout``; 1001 was sent, after which peers come again.
    case inputStalled
    /// The closing handshake was not finished within ``WebSocketServer/Configuration/closeTimeout``.
    case closeTimedOut
    /// The transport ended without a close frame (RFC 6455 §7.1.5, code 1006).
    case lost(CloseReason)
}
