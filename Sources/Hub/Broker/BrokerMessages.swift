public import WSFrame

/// A message of one node for the sessions of all.
public struct BrokerPublication: Hashable, Sendable {
    /// The topic's name.
    public var topic: String
    /// What is published.
    public var message: HubMessage
    /// Where it stands in the store's history; `nil` for one that is not stored.
    public var position: TopicPosition?
    /// Whether sessions under pressure may do without it.
    public var isVolatile: Bool

    /// Creates a publication.
    public init(
        topic: String, message: HubMessage, position: TopicPosition? = nil,
        isVolatile: Bool = false
    ) {
        self.topic = topic
        self.message = message
        self.position = position
        self.isVolatile = isVolatile
    }
}

/// Something that every node has to do for those of its sessions that are meant.
public enum BrokerCommand: Hashable, Sendable {
    /// Send them this; the node of that name has done so.
    case send(HubMessage, to: Recipients, notBy: NodeID? = nil)
    /// Close them, with this code and reason.
    case kick(Recipients, code: CloseCode, reason: String)
    /// Let the user in no more until then (`nil`: for ever), and close what is there.
    case ban(user: String, until: Timestamp?, reason: String = "")
    /// Let the user in again.
    case unban(user: String)
    /// The user's inbox has something new.
    case inboxChanged(user: String)
}

/// Which sessions are meant.
public struct Recipients: Hashable, Sendable {
    /// The sessions to choose from.
    public enum Scope: Hashable, Sendable {
        /// Every session.
        case everyone
        /// Those of these users, on all their devices.
        case users([String])
        /// Those of one device of a user.
        case device(user: String, device: String)
        /// Those that subscribe to a topic.
        case topic(String)
    }

    /// The sessions to choose from.
    public var scope: Scope
    /// Users who are not meant all the same.
    public var exceptUsers: [String]

    /// Creates a choice.
    public init(_ scope: Scope, exceptUsers: [String] = []) {
        self.scope = scope
        self.exceptUsers = exceptUsers
    }
}
