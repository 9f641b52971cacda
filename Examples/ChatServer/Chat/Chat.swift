import Hub
import NetPoll
import WSFrame

/// The chat: rooms are topics, members are the topics' users.
final class Chat: HubApplication {
    /// Names in one `joined` or `presence`.
    static let namesMax = 200
    /// History in one `joined`: a client that joins its rooms one after the other has room for it in
    /// its send queue, whatever it is sent besides.
    static let joinedHistoryBytesMax = 64 << 10
    private static let historyBytesMax = 128 << 10
    private static let roomsMax = 10_000
    private static let roomSessionsMax = 10_000
    private static let messageBytesMax = 32 << 10

    let limits = ChatLimits()
    let directory = RoomDirectory()
    /// Settings of a hub for this chat.
    func configuration(connectionsMax: Int) -> HubConfiguration {
        var configuration = HubConfiguration()
        configuration.files = Page.files
        configuration.connectionsMax = connectionsMax
        configuration.messageBytesMax = Self.messageBytesMax
        configuration.topic.historyMessagesMax = limits.historyMax
        configuration.topic.historyBytesMax = Self.historyBytesMax
        configuration.topic.subscribersMax = Self.roomSessionsMax
        // The page comes back and asks for what it missed.
        configuration.topic.slowSubscribers = .close(.tryAgainLater)
        configuration.presenceChangesMax = Self.namesMax
        configuration.topicsMax = Self.roomsMax
        configuration.subscriptionsPerSessionMax = limits.roomsPerSessionMax
        // A name is no proof of who it is: as many may have it as come.
        configuration.sessionsPerUserMax = connectionsMax
        return configuration
    }

    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        .accept(ChatSession(chat: self, hub: hub))
    }

    func presenceChanged(_ changes: PresenceChanges, in topic: Topic) -> PreparedMessage? {
        ServerMessage.presence(room: topic.name, changes)
    }
}
