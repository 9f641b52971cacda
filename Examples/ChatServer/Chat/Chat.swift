import Hub
import NetPoll
import WSFrame

/// The chat: rooms are topics, members are the topics' users.
final class Chat: HubApplication {
    /// Names in one `joined` or `presence`.
    static let namesMax = 200
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
        configuration.topic.subscribersMax = Self.roomSessionsMax
        configuration.topicsMax = Self.roomsMax
        configuration.subscriptionsPerSessionMax = limits.roomsPerSessionMax
        return configuration
    }

    func admit(_ request: HTTPRequest, from address: SocketAddress, to hub: HubServer) -> Admission
    {
        .accept(ChatSession(chat: self, hub: hub))
    }

    func presenceChanged(_ changes: PresenceChanges, in topic: Topic) -> PreparedMessage? {
        ServerMessage.presence(room: topic.name, changes, namesMax: Self.namesMax)
    }
}
