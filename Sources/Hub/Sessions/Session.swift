public import NetPoll
public import WSFrame
import WSTransport

/// One client's connection, seen by the application.
///
/// Lives on the loop of its connection and may be used there only: in the methods of
/// ``SessionHandler``, and in what ``HubServer/withSession(_:_:)`` runs. Other threads name it by its
/// ``id``.
public class Session {
    struct Subscription {
        let list: SubscriberList
        /// The index in the list's subscribers.
        var index: Int
    }

    /// Names the session; may be sent anywhere and kept for ever.
    public internal(set) var id: SessionID

    /// Who the client is, as the application found out; several sessions may be of one user.
    ///
    /// Topics count their users by it. It must not be changed while there are subscriptions.
    public var user: String? {
        willSet {
            precondition(
                subscriptions.isEmpty, "the user of a session with subscriptions was changed")
        }
    }

    let shard: HubShard
    let handler: any SessionHandler
    /// `nil` before the upgrade is done and after the session has ended.
    var connection: WebSocketConnection?
    var subscriptions: [Subscription] = []
    /// Counts the session against its address until it ends.
    var permit: AddressLimiter.Permit?
    var hasEnded = false

    init(shard: HubShard, handler: any SessionHandler, permit: consuming AddressLimiter.Permit) {
        self.shard = shard
        self.handler = handler
        self.permit = consume permit
        id = SessionID(loop: UInt16(shard.loop.index), slot: .max, generation: .max)
    }

    /// The loop that the session lives on.
    public var loop: EventLoop { shard.loop }

    /// The client's address; `nil` after the session has ended.
    public var remoteAddress: SocketAddress? { connection?.remoteAddress }

    // MARK: - Sending

    /// Sends a message to this client alone.
    ///
    /// Nothing waits: what the network does not take is queued, and a client whose queue overflows
    /// is cut off with `WebSocketCloseReason.slowConsumer`.
    @discardableResult
    public func send(_ bytes: RawSpan, kind: MessageKind) -> WriteOutcome {
        connection?.send(bytes, kind: kind) ?? .closed
    }

    /// Sends text to this client alone.
    @discardableResult
    public func send(text: String) -> WriteOutcome {
        connection?.send(text: text) ?? .closed
    }

    /// Sends a message that was encoded before.
    @discardableResult
    public func send(_ message: PreparedMessage) -> WriteOutcome {
        connection?.send(message) ?? .closed
    }

    /// Begins the closing handshake; ``SessionHandler/ended(_:reason:)`` follows.
    public func close(_ code: CloseCode = .normal, reason: String = "") {
        connection?.close(code, reason: reason)
    }

    // MARK: - Topics

    /// Subscribes to a topic, and returns what it holds up to the point where live messages begin:
    /// neither gap nor duplicate lies between the two.
    ///
    /// What is sent before the next message is received comes before the live messages. Where the
    /// session is subscribed already, it only gets the present state.
    ///
    /// - Parameters:
    ///   - topic: Kept alive by the subscription.
    ///   - position: Up to where the client knows the topic; `nil` for all that is kept.
    ///   - usersMax: How many names of users the snapshot shall hold at most.
    /// - Returns: The topic's state.
    /// - Throws: ``SubscribeError``, and nothing is changed.
    public func subscribe(
        to topic: Topic, after position: TopicPosition? = nil, usersMax: Int = 0
    ) throws(SubscribeError) -> TopicSnapshot {
        try shard.subscribe(self, to: topic, after: position, usersMax: usersMax)
    }

    /// Ends a subscription; no message of the topic follows.
    ///
    /// - Returns: Whether there was one.
    @discardableResult
    public func unsubscribe(from topic: Topic) -> Bool {
        guard let position = position(of: topic) else { return false }
        shard.unsubscribe(self, at: position)
        return true
    }

    /// What the session is subscribed to.
    public var topics: [Topic] { subscriptions.map(\.list.topic) }

    /// The topic of that name, byte for byte, that the session is subscribed to.
    public func topic(named name: String) -> Topic? {
        subscriptions.first { $0.list.topic.name.isSameBytes(as: name) }?.list.topic
    }

    /// Where the subscription to `topic` is kept.
    ///
    /// A session has few of them: no index is kept.
    func position(of topic: Topic) -> Int? {
        subscriptions.firstIndex { $0.list.topic === topic }
    }
}

/// What the transport calls; kept apart so that the public class shows only what its users call.
final class ServedSession: Session, WebSocketHandler {
    func opened(_ connection: WebSocketConnection) {
        self.connection = connection
        shard.began(self)
    }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        handler.received(message, kind: kind, from: self)
    }

    func closed(_ connection: WebSocketConnection, reason: WebSocketCloseReason) {
        shard.ended(self, reason)
    }
}

/// Why a subscription was refused.
public enum SubscribeError: Error, Hashable, Sendable {
    /// The topic has ``HubConfiguration/TopicLimits/subscribersMax`` subscribers.
    case topicFull
    /// The session has ``HubConfiguration/subscriptionsPerSessionMax`` subscriptions.
    case tooManySubscriptions
    /// The session has ended.
    case sessionEnded
}
