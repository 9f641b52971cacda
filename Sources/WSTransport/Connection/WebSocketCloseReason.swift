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
    /// The closing handshake was not finished within ``WebSocketServer/Configuration/closeTimeout``.
    case closeTimedOut
    /// The transport ended without a close frame (RFC 6455 §7.1.5, code 1006).
    case lost(CloseReason)
}

/// How a server finds out that a peer vanished.
///
/// Any byte received counts as life: a connection that receives is not pinged.
public struct Heartbeat: Hashable, Sendable {
    /// Silence after which a ping is sent. Default 25 s.
    public var interval: Duration
    /// Silence after which the connection is given up, at most 20 days. Default 60 s.
    public var timeout: Duration

    public init(interval: Duration = .seconds(25), timeout: Duration = .seconds(60)) {
        precondition(interval > .zero, "heartbeat interval of \(interval)")
        precondition(timeout > interval, "heartbeat timeout \(timeout) within \(interval)")
        // Silence is counted in 32 bits of milliseconds.
        precondition(timeout <= .seconds(20 * 86_400), "heartbeat timeout of \(timeout)")
        self.interval = interval
        self.timeout = timeout
    }
}
