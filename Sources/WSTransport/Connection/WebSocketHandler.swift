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

    /// A piece of a message arrived; called instead of ``received(_:kind:on:)`` where the
    /// configuration's `delivery` is ``/WSFrame/ProtocolConfiguration/Delivery/pieces``, and to be
    /// implemented then.
    ///
    /// - Parameters:
    ///   - piece: Lent for the call; empty only if the message ends with it. Text is valid UTF-8 over
    ///     all pieces, one of which may end inside a character.
    ///   - kind: Text or binary.
    ///   - isFirst: Whether the message begins here.
    ///   - isLast: Whether the message ends here.
    ///   - connection: Where it came from.
    func received(
        piece: RawSpan, of kind: MessageKind, isFirst: Bool, isLast: Bool,
        on connection: WebSocketConnection)

    /// A ping arrived and was answered. Its payload is lent for the call.
    func receivedPing(_ payload: RawSpan, on connection: WebSocketConnection)

    /// A pong arrived. Its payload is lent for the call.
    ///
    /// - Parameters:
    ///   - payload: What the ping carried.
    ///   - roundTrip: The time since ``WebSocketConnection/ping(_:)`` sent it; `nil` where it does
    ///     not answer the latest of those.
    ///   - connection: Where it came from.
    func receivedPong(
        _ payload: RawSpan, roundTrip: Duration?, on connection: WebSocketConnection)

    /// The peer's close frame arrived; ``closed(_:reason:)`` follows.
    ///
    /// - Parameters:
    ///   - code: Its code; `nil` for none.
    ///   - reason: Its text, UTF-8, at most 123 bytes; lent for the call.
    ///   - connection: Where it came from.
    func receivedClose(_ code: CloseCode?, reason: RawSpan, on connection: WebSocketConnection)

    /// The connection's queue rose above the high watermark: stop sending until ``drained(_:)``.
    func congested(_ connection: WebSocketConnection)

    /// The connection's queue fell to the low watermark: sending may go on.
    func drained(_ connection: WebSocketConnection)

    /// The connection is gone. Nothing more will be called for it.
    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason)
}

extension WebSocketHandler {
    public func opened(_ connection: WebSocketConnection) {}
    public func received(
        piece: RawSpan, of kind: MessageKind, isFirst: Bool, isLast: Bool,
        on connection: WebSocketConnection
    ) {
        preconditionFailure("\(type(of: self)) does not read messages in pieces")
    }
    public func receivedPing(_ payload: RawSpan, on connection: WebSocketConnection) {}
    public func receivedClose(
        _ code: CloseCode?, reason: RawSpan, on connection: WebSocketConnection
    ) {}
    public func receivedPong(
        _ payload: RawSpan, roundTrip: Duration?, on connection: WebSocketConnection
    ) {}
    public func congested(_ connection: WebSocketConnection) {}
    public func drained(_ connection: WebSocketConnection) {}
    public func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {}
}
