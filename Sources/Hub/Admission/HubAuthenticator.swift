public import NetPoll
public import WSFrame
import WSTransport

/// Finds out who a client is, before it gets a session and whenever it renews its credentials.
///
/// Called by a task on the loop of the client's connection, beside others; it may wait for another
/// service, and must not block. An upgrade has ``HubConfiguration/handshakeTimeout`` for it.
public protocol HubAuthenticator: Sendable {
    /// Decides who shows these credentials.
    func authenticate(_ credentials: Credentials) async -> Authentication
}

/// What an authenticator found out.
public enum Authentication: Hashable, Sendable {
    /// The client is this user, and its session is from its beginning.
    case accepted(Identity)
    /// The client showed nothing, and may have a session that is nobody's.
    case anonymous
    /// It gets no session, or is not renewed.
    case refused(AdmissionRefusal)
}

/// What a client shows to prove who it is.
public struct Credentials: Sendable {
    /// Where a token may stand in a request. Browsers can set no header of a WebSocket's request: they
    /// send cookies by themselves, and a query where the page writes it.
    public enum Place: Hashable, Sendable {
        /// `Authorization: Bearer …`
        case bearer
        /// A cookie of that name.
        case cookie(String)
        /// A field of that name in the query. Queries end up in logs: let such tokens live shortly.
        case query(String)
    }

    /// What is shown.
    public enum Shown: Sendable {
        /// The request for a session.
        case request(HTTPRequest)
        /// A token in a session that there is, to renew what it has.
        case renewal(String, of: Identity?)
    }

    /// What is shown.
    public let shown: Shown
    /// Where the client is.
    public let address: SocketAddress
    /// The hub's calendar, by which credentials expire.
    public let now: Timestamp

    /// Creates credentials, for tests of authenticators.
    public init(_ shown: Shown, from address: SocketAddress, at now: Timestamp) {
        self.shown = shown
        self.address = address
        self.now = now
    }

    /// The token: of a request, from the first of `places` that has one; of a renewal, what was sent.
    public func token(from places: [Place]) -> String? {
        switch shown {
        case .renewal(let token, _):
            return token
        case .request(let request):
            for place in places {
                let token =
                    switch place {
                    case .bearer: request.bearerToken
                    case .cookie(let name): request.cookie(name)
                    case .query(let name): request.queryValue(name)
                    }
                if let token { return token }
            }
            return nil
        }
    }
}

/// Who a client is, for how long, and what it may hear.
public struct Identity: Hashable, Sendable {
    /// The user's name.
    public var user: String
    /// Which of the user's devices it is.
    public var device: String?
    /// What else is to be remembered; see ``Session/attributes``. Those of a renewal are taken where the
    /// session has none.
    public var attributes: [String: String]
    /// Topics that the client may subscribe to, and whose members and history it may read, without
    /// ``HubApplication/authorize(_:by:)`` being asked.
    ///
    /// Where renewed credentials no longer name a topic, that is asked, and a subscription which it does
    /// not allow ends. A client that comes back by a resume token, too, has to ask anew for such topics.
    public var topics: [TopicPattern]
    /// When the credentials expire, and the session ends unless they are renewed; `nil` for never.
    public var expiry: Timestamp?

    /// Creates an identity.
    public init(
        user: String, device: String? = nil, attributes: [String: String] = [:],
        topics: [TopicPattern] = [], expiry: Timestamp? = nil
    ) {
        self.user = user
        self.device = device
        self.attributes = attributes
        self.topics = topics
        self.expiry = expiry
    }

    /// Whether ``topics`` allow it.
    func grants(_ action: ClientAction) -> Bool {
        switch action {
        case .subscribe(let topic), .members(let topic), .history(let topic):
            topics.contains { $0.fits(topic) }
        case .publish:
            false
        }
    }
}
