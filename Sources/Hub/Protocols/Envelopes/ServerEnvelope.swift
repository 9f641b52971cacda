/// All that a hub says to a client.
public enum ServerEnvelope: Hashable, Sendable {
    /// The first words of a session; once more where it goes on as an earlier one.
    case welcome(Welcome)
    /// A message of a topic.
    case publication(topic: String, HubMessage, position: TopicPosition?)
    /// A message for this client, or for those it is among.
    case message(HubMessage)
    /// A message for this client that it has to answer by ``ClientEnvelope/reply(_:_:)``.
    case request(RequestID, HubMessage)
    /// The answer to a client's ``ClientEnvelope/request(_:_:)``.
    case reply(RequestID, Payload)
    /// A message of the user's inbox, to be acknowledged by its id; may come again until it is.
    case inbox(InboxID, HubMessage)
    /// A subscription began, because the client asked for it or because the server decided so.
    case subscribed(Subscribed)
    /// A subscription ended, or none was there to end.
    case unsubscribed(RequestID?, topic: String)
    /// The client's publication took its place; `nil` for one that is not stored.
    case published(RequestID, TopicPosition?)
    /// Users came to a topic and left it.
    case presence(topic: String, PresenceChanges)
    /// Who is in a topic: at most so many names, and how many there are in all.
    case members(RequestID, topic: String, users: [String], count: Int)
    /// A part of a topic's history.
    case history(RequestID, topic: String, HistoryPage)
    /// What was asked for was not done, or what came could not be read.
    case failure(Failure)
    /// Connect again after so long, perhaps elsewhere; a close follows.
    case reconnect(after: Duration)
    /// A new resume token, in place of the last one.
    case token(String, expiry: Timestamp)
    /// The answer to ``ClientEnvelope/ping(_:)``.
    case pong(RequestID)

    /// What a session begins with.
    public struct Welcome: Hashable, Sendable {
        /// The session's name, for logs.
        public var session: String
        /// Who the hub takes the client for.
        public var user: String?
        /// Silence after which the hub pings in any case; a client that hears nothing for twice as long
        /// may take the connection for lost.
        public var heartbeat: Duration?
        /// Whether the session continues the one of the client's token: a ``subscribed(_:)`` follows
        /// for each of its topics, or an ``unsubscribed(_:topic:)``, and then a new
        /// ``token(_:expiry:)``; nothing for a topic for which there is no room now, or that its
        /// credentials granted and no longer do.
        public var isResumed: Bool
        /// The largest message the client may send.
        public var messageBytesMax: Int

        /// Creates a welcome.
        public init(
            session: String, user: String? = nil, heartbeat: Duration? = nil,
            isResumed: Bool = false, messageBytesMax: Int
        ) {
            self.session = session
            self.user = user
            self.heartbeat = heartbeat
            self.isResumed = isResumed
            self.messageBytesMax = messageBytesMax
        }
    }

    /// What a subscription begins with.
    public struct Subscribed: Hashable, Sendable {
        /// The client's request; `nil` where the server decided.
        public var request: RequestID?
        /// The topic's name.
        public var topic: String
        /// After which message those that follow come.
        public var position: TopicPosition
        /// Where the client gave a position: whether exactly the messages after it follow. If not,
        /// there may be a gap.
        public var isRecovered: Bool
        /// How many users are there, where the topic counts them.
        public var count: Int?

        /// Creates an answer.
        public init(
            request: RequestID? = nil, topic: String, position: TopicPosition, isRecovered: Bool,
            count: Int? = nil
        ) {
            self.request = request
            self.topic = topic
            self.position = position
            self.isRecovered = isRecovered
            self.count = count
        }
    }

    /// Why something was not done.
    public struct Failure: Hashable, Sendable {
        /// The request, where there was one.
        public var request: RequestID?
        /// What programs go by.
        public var code: FailureCode
        /// For people.
        public var text: String
        /// When to try again, where that may help.
        public var retryAfter: Duration?

        /// Creates a failure.
        public init(
            request: RequestID? = nil, code: FailureCode, text: String = "",
            retryAfter: Duration? = nil
        ) {
            self.request = request
            self.code = code
            self.text = text
            self.retryAfter = retryAfter
        }
    }
}

/// Why something was not done, as a number on the wire; applications use 1,000 and more.
public struct FailureCode: RawRepresentable, Hashable, Sendable {
    /// 1: the message could not be read.
    public static let malformed = FailureCode(rawValue: 1)
    /// 2: the hub does not do this, or nobody handles that event.
    public static let unsupported = FailureCode(rawValue: 2)
    /// 3: the client may not.
    public static let forbidden = FailureCode(rawValue: 3)
    /// 4: there is no such topic or subscription.
    public static let notFound = FailureCode(rawValue: 4)
    /// 5: a limit of the session, topic or hub is reached.
    public static let limitReached = FailureCode(rawValue: 5)
    /// 6: too fast.
    public static let rateLimited = FailureCode(rawValue: 6)
    /// 7: the hub cannot take it now.
    public static let overloaded = FailureCode(rawValue: 7)
    /// 8: no answer came in time.
    public static let timedOut = FailureCode(rawValue: 8)
    /// 9: the store failed.
    public static let storeFailed = FailureCode(rawValue: 9)
    /// 10: the handler threw.
    public static let handlerFailed = FailureCode(rawValue: 10)
    /// 11: the token is expired, forged or of another key.
    public static let badToken = FailureCode(rawValue: 11)

    public let rawValue: UInt16

    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }
}
