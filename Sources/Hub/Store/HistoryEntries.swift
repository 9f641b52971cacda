/// Bounds of one topic's history; what goes beyond is dropped, the oldest first.
public struct HistoryLimits: Hashable, Sendable {
    /// Messages kept; 0 keeps none, and offsets still count. Default 100.
    public var messagesMax = 100
    /// Bytes kept, by ``HubMessage/bytes``; the newest message is kept in any case. Default 512 KiB.
    public var bytesMax = 512 << 10
    /// How old a message may become; `nil`, the default, for as old as it may.
    public var age: Duration?

    /// Creates the defaults.
    public init() {}
}

/// How much a page may hold: both bounds hold at once.
public struct PageLimit: Hashable, Sendable {
    /// Messages; at least 1.
    public var messagesMax: Int
    /// Bytes, by ``HubMessage/bytes``; a first message that is larger comes alone.
    public var bytesMax: Int

    /// Creates a limit.
    public init(messagesMax: Int = 100, bytesMax: Int = 128 << 10) {
        precondition(messagesMax > 0, "a page of \(messagesMax) messages")
        self.messagesMax = messagesMax
        self.bytesMax = bytesMax
    }
}

/// A message to be appended to a topic's history.
public struct HistoryAppend: Hashable, Sendable {
    /// The topic's name.
    public var topic: String
    /// What is appended.
    public var message: HubMessage
    /// The epoch of a topic that the store does not know.
    public var epochIfNew: Epoch
    /// The topic's bounds, in force from this entry on.
    public var limits: HistoryLimits
    /// Names the publication, so that it may be tried again.
    public var idempotencyKey: String?
    /// For how long the key is remembered. Default 5 min.
    public var idempotencyWindow = Duration.seconds(300)

    /// Creates an entry.
    public init(
        topic: String, message: HubMessage, epochIfNew: Epoch, limits: HistoryLimits = .init(),
        idempotencyKey: String? = nil
    ) {
        self.topic = topic
        self.message = message
        self.epochIfNew = epochIfNew
        self.limits = limits
        self.idempotencyKey = idempotencyKey
    }
}

/// What became of an entry.
public enum HistoryAppended: Hashable, Sendable {
    /// It stands there.
    case appended(TopicPosition)
    /// An entry with the same key stands there.
    case duplicate(TopicPosition)

    /// Where the message stands.
    public var position: TopicPosition {
        switch self {
        case .appended(let position), .duplicate(let position): position
        }
    }
}

/// A message with its place in a topic's history.
public struct StoredMessage: Hashable, Sendable {
    /// Its place; the first of an epoch has 1.
    public let offset: UInt64
    /// When it was appended.
    public let time: Timestamp
    /// What was appended.
    public let message: HubMessage

    /// Creates a stored message.
    public init(offset: UInt64, time: Timestamp, message: HubMessage) {
        self.offset = offset
        self.time = time
        self.message = message
    }
}

/// A part of a topic's history.
public struct HistoryPage: Hashable, Sendable {
    /// Just after the topic's last message, whether or not that is still kept.
    public let end: TopicPosition
    /// Whether ``messages`` begin with exactly the one after the position asked for: its epoch is the
    /// topic's, it does not lie beyond ``end``, and nothing after it was dropped. Where it is false,
    /// and where no position was given, they are the newest within the limit.
    public let isRecovered: Bool
    /// Oldest first.
    public let messages: [StoredMessage]
    /// Whether more follow.
    public let hasMore: Bool

    /// Creates a page.
    public init(
        end: TopicPosition, isRecovered: Bool, messages: [StoredMessage], hasMore: Bool
    ) {
        self.end = end
        self.isRecovered = isRecovered
        self.messages = messages
        self.hasMore = hasMore
    }
}
