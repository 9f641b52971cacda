/// All that a client says to a hub.
public enum ClientEnvelope: Hashable, Sendable {
    /// Continue the session of this token; the first message, where there is one.
    case resume(Resume)
    /// Subscribe to a topic, with what comes after `position`; without one, from now on.
    case subscribe(RequestID, topic: String, after: TopicPosition?)
    /// End a subscription.
    case unsubscribe(RequestID, topic: String)
    /// Publish to a topic.
    case publish(Publish)
    /// A message for the application.
    case message(HubMessage)
    /// A message for the application, which answers it.
    case request(RequestID, HubMessage)
    /// The answer to a ``ServerEnvelope/request(_:_:)``.
    case reply(RequestID, Payload)
    /// These messages of the inbox have arrived.
    case acknowledge([InboxID])
    /// Who is in a topic?
    case members(RequestID, topic: String)
    /// What came after `position` in a topic, at most so many messages?
    case history(RequestID, topic: String, after: TopicPosition?, messagesMax: Int)
    /// A new proof of who the client is, before the last one expires.
    case refresh(RequestID, credentials: String)
    /// Are you there?
    case ping(RequestID)

    /// The mark by which it is to be answered, where it is.
    var asked: RequestID? {
        switch self {
        case .subscribe(let id, _, _), .unsubscribe(let id, _), .request(let id, _),
            .members(let id, _), .history(let id, _, _, _), .refresh(let id, _), .ping(let id):
            id
        case .publish(let publish): publish.request
        case .resume, .message, .reply, .acknowledge: nil
        }
    }

    /// A client that comes back.
    public struct Resume: Hashable, Sendable {
        /// The last one that the hub gave it.
        public var token: String
        /// How far it knows the token's topics, where that is further than when it got the token.
        /// Other topics than the token's are passed over.
        public var positions: [KnownTopic]

        /// Creates a return.
        public init(token: String, positions: [KnownTopic] = []) {
            self.token = token
            self.positions = positions
        }
    }

    /// A client's publication.
    public struct Publish: Hashable, Sendable {
        /// Where it is to be answered by ``ServerEnvelope/published(_:_:)``.
        public var request: RequestID?
        /// The topic's name.
        public var topic: String
        /// What is published. The hub sets the sender.
        public var message: HubMessage
        /// How the topic treats it.
        public var durability: Publication.Durability
        /// Names the publication, so that it may be tried again.
        public var idempotencyKey: String?

        /// Creates a publication.
        public init(
            request: RequestID? = nil, topic: String, message: HubMessage,
            durability: Publication.Durability = .stored, idempotencyKey: String? = nil
        ) {
            self.request = request
            self.topic = topic
            self.message = message
            self.durability = durability
            self.idempotencyKey = idempotencyKey
        }
    }
}

/// A topic, and how far somebody knows it.
public struct KnownTopic: Hashable, Sendable {
    /// Its name.
    public var topic: String
    /// Just after the last message known.
    public var position: TopicPosition

    /// Creates a mark in a topic.
    public init(topic: String, position: TopicPosition) {
        self.topic = topic
        self.position = position
    }
}
