public import NetPoll
public import WSFrame

/// What a user of the hub writes: who may come in, and what its sessions do.
///
/// Called on the hub's loops, on several at a time; an application keeps what sessions share behind
/// a lock, or better in topics.
public protocol HubApplication: AnyObject, Sendable {
    /// Decides on a client that asks for a session; the origin and the hub's limits are checked
    /// before, the handshake itself after.
    ///
    /// - Parameters:
    ///   - request: The request to upgrade, with its path, query and header fields.
    ///   - address: The client's address, or that of a proxy in front of it.
    ///   - hub: Where the session will be; its handler may keep it.
    /// - Returns: Whether there will be a session, and who looks after it.
    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission

    /// Decides whether a client may do something by itself. By default it may not.
    func authorize(_ action: ClientAction, by session: Session) -> Permission

    /// Encodes a notice of who came and went, which is published to the topic as a transient message.
    ///
    /// Called at most once per topic and ``HubConfiguration/presenceInterval``. By default the
    /// clients are told by ``ServerEnvelope/presence(topic:_:)``, in protocols that have a word for it.
    func presenceChanged(_ changes: PresenceChanges, in topic: Topic) -> PreparedMessage?

    /// A session's credentials expire in ``HubConfiguration/credentialsNotice``; then it is closed with
    /// `CloseCode.credentialsExpired`, unless the client or ``Session/extendCredentials(until:)`` renews
    /// them. By default nothing is done.
    func credentialsExpire(of session: Session)
}

extension HubApplication {
    public func authorize(_ action: ClientAction, by session: Session) -> Permission {
        .deny("not allowed")
    }

    public func presenceChanged(_ changes: PresenceChanges, in topic: Topic) -> PreparedMessage? {
        nil
    }

    public func credentialsExpire(of session: Session) {}
}

/// An application's decision on a client that asks for a session.
public enum Admission {
    /// It gets a session, which `handler` looks after.
    case accept(any SessionHandler)
    /// It gets this answer instead.
    case refuse(HTTPResponse)
}
