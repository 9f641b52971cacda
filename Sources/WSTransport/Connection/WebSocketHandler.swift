public import WSFrame

/// Receives the events of WebSocket connections, on each connection's loop.
///
/// One object may serve one connection or many. The order for a connection is ``opened(_:)``, then
/// any of the others, then ``closed(_:reason:)`` once and last.
public protocol WebSocketHandler: AnyObject {
    /// The upgrade is answered; messages may be sent from now on.
    func opened(_ connection: WebSocketConnection)

    /// A whole message arrived. Its bytes are lent for the call; text is valid UTF-8.
    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection)

    /// A pong arrived. Its payload is lent for the call.
    ///
    /// - Parameters:
    ///   - payload: What the ping carried.
    ///   - roundTrip: The time since ``WebSocketConnection/ping(_:)`` sent it; `nil` where it does
    ///     not answer the latest of those.
    ///   - connection: Where it came from.
    func receivedPong(
        _ payload: RawSpan, roundTrip: Duration?, on connection: WebSocketConnection)

    /// The connection's queue rose above the high watermark: stop sending until ``drained(_:)``.
    func congested(_ connection: WebSocketConnection)

    /// The connection's queue fell to the low watermark: sending may go on.
    func drained(_ connection: WebSocketConnection)

    /// The connection is gone. Nothing more will be called for it.
    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason)
}

extension WebSocketHandler {
    public func opened(_ connection: WebSocketConnection) {}
    public func receivedPong(
        _ payload: RawSpan, roundTrip: Duration?, on connection: WebSocketConnection
    ) {}
    public func congested(_ connection: WebSocketConnection) {}
    public func drained(_ connection: WebSocketConnection) {}
    public func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {}
}
