public import WSFrame
public import WSTransport

/// What an application does for one session.
///
/// Made for each session by ``HubApplication/admit(_:from:to:)`` and kept until the session has ended. All
/// methods are called on the session's loop, one at a time; they must not block.
public protocol SessionHandler: AnyObject {
    /// The session has begun. Called once, before all others.
    func began(_ session: Session)

    /// A message came from the client.
    ///
    /// - Parameters:
    ///   - message: Lent for the call. Text has been checked to be UTF-8.
    ///   - kind: Text or binary.
    ///   - session: The session it came from.
    func received(_ message: RawSpan, kind: MessageKind, from session: Session)

    /// A message came from a client whose protocol gives messages more than their bytes, and no
    /// handler is there for its event; by default its payload is handled as
    /// ``received(_:kind:from:)``.
    func received(_ message: HubMessage, from session: Session)

    /// The session goes on as the one of the client's resume token: it is of that one's user, and
    /// ``Session/topics`` are that one's. What the client may no longer have, the handler ends here by
    /// ``Session/unsubscribe(from:)``: ``HubApplication/authorize(_:by:)`` is not asked again. Topics
    /// that credentials had granted (``Identity/topics``), and that those of the client now do not, are
    /// not among them. ``Session/attributes`` are empty where the client came without credentials.
    ///
    /// Called before anything of these topics is sent, and before anything that the client says
    /// after its token is handled. The subscriptions begin behind it, each when its topic is read: one
    /// does not wait for another. By default nothing is done.
    func resumed(_ session: Session)

    /// The session has ended, and its subscriptions with it. Called once, after all others. By default
    /// nothing is done.
    func ended(_ session: Session, reason: WebSocketCloseReason)
}

extension SessionHandler {
    public func resumed(_ session: Session) {}

    public func ended(_ session: Session, reason: WebSocketCloseReason) {}

    public func received(_ message: HubMessage, from session: Session) {
        received(
            message.payload.bytes.span.bytes, kind: message.payload.kind, from: session)
    }
}
