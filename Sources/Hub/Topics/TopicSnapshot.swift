public import WSFrame

/// What a topic held at one point of its order.
public struct TopicSnapshot: Sendable {
    /// The point: every message up to it is in ``messages`` or was asked to be left out.
    public let position: TopicPosition
    /// Whether ``messages`` are exactly those after the position asked for.
    public let isRecovered: Bool
    /// Stored messages, oldest first.
    public let messages: [PreparedMessage]
    /// Names of users that are there, in no order, as many as were asked for.
    public let users: [String]
    /// How many users are there.
    public let userCount: Int
}

/// Where a subscriber that follows a topic begins.
struct TopicPlace {
    let position: TopicPosition
    /// Just after the topic's last stored message.
    let end: TopicPosition
    let isRecovered: Bool
    let cursor: Cursor
    let liveEnd: UInt64
    let count: Int?
}

/// What a topic tells a subscriber that joins, before it is framed.
struct TopicJoin {
    let position: TopicPosition
    let isRecovered: Bool
    let entries: [TopicEntry]
    let users: [String]
    let userCount: Int
    /// The place in the live sequence of the first message that is not among ``entries``.
    let liveFrom: UInt64

    func snapshot(
        for protocolIndex: UInt8, of protocols: [any ClientProtocol]
    ) -> TopicSnapshot {
        TopicSnapshot(
            position: position, isRecovered: isRecovered,
            messages: entries.compactMap { $0.frame(for: Int(protocolIndex), of: protocols) },
            users: users, userCount: userCount)
    }
}
