/// Names a message in one user's inbox; later ones have higher ids.
public struct InboxID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    /// Creates the id of that number.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static func < (left: InboxID, right: InboxID) -> Bool {
        left.rawValue < right.rawValue
    }

    public var description: String { String(rawValue) }
}

/// Bounds of one user's inbox; a message that goes beyond is refused.
public struct InboxLimits: Hashable, Sendable {
    /// Messages, quarantined ones included. Default 1,000.
    public var messagesMax = 1_000
    /// Bytes, by ``HubMessage/bytes``. Default 4 MiB.
    public var bytesMax = 4 << 20

    /// Creates the defaults.
    public init() {}
}

/// A message for a user's inbox.
public struct InboxDeposit: Hashable, Sendable {
    /// Whose inbox.
    public var user: String
    /// What is for them.
    public var message: HubMessage
    /// When it is no longer worth delivering; `nil` for never.
    public var expiry: Timestamp?
    /// The inbox's bounds.
    public var limits: InboxLimits
    /// Names the deposit, so that it may be tried again.
    public var idempotencyKey: String?
    /// For how long the key is remembered. Default 1 h.
    public var idempotencyWindow = Duration.seconds(3_600)

    /// Creates a deposit.
    public init(
        user: String, message: HubMessage, expiry: Timestamp? = nil, limits: InboxLimits = .init(),
        idempotencyKey: String? = nil
    ) {
        self.user = user
        self.message = message
        self.expiry = expiry
        self.limits = limits
        self.idempotencyKey = idempotencyKey
    }
}

/// What became of a deposit.
public enum InboxDeposited: Hashable, Sendable {
    /// It is stored.
    case stored(InboxID)
    /// One with the same key was stored before.
    case duplicate(InboxID)
    /// The inbox has no room for it (``InboxLimits``).
    case refused
}

/// Names a message of a user.
public struct InboxReference: Hashable, Sendable {
    /// Whose inbox.
    public var user: String
    /// Which message.
    public var id: InboxID

    /// Creates a reference.
    public init(user: String, id: InboxID) {
        self.user = user
        self.id = id
    }
}

/// A message that waits to be acknowledged.
public struct InboxMessage: Hashable, Sendable {
    /// Its name in the inbox.
    public let id: InboxID
    /// What it says.
    public let message: HubMessage
    /// When it was deposited.
    public let time: Timestamp
    /// When it expires.
    public let expiry: Timestamp?
    /// Deliveries counted so far.
    public let attempts: Int

    /// Creates a message.
    public init(
        id: InboxID, message: HubMessage, time: Timestamp, expiry: Timestamp?, attempts: Int
    ) {
        self.id = id
        self.message = message
        self.time = time
        self.expiry = expiry
        self.attempts = attempts
    }
}

/// A part of an inbox.
public struct InboxPage: Hashable, Sendable {
    /// The lowest ids first.
    public let messages: [InboxMessage]
    /// Whether more follow.
    public let hasMore: Bool

    /// Creates a page.
    public init(messages: [InboxMessage], hasMore: Bool) {
        self.messages = messages
        self.hasMore = hasMore
    }
}
