public import NetPoll
public import WSFrame
import WSTransport

/// One client's connection, seen by the application.
///
/// Lives on the loop of its connection and may be used there only: in the methods of
/// ``SessionHandler``, and in what ``HubServer/withSession(_:_:)`` runs. Other threads name it by its
/// ``id``.
public class Session {
    /// Where a subscription is; 8 bytes here, and 24 in the part's list.
    struct Subscription {
        /// The part's place in ``HubShard/parts``.
        let slot: UInt32
        /// The index in the part's subscribers.
        var index: UInt32
    }

    /// Names the session; may be sent anywhere and kept for ever.
    public internal(set) var id: SessionID

    /// Who the client is, as the application found out; several sessions may be of one user.
    ///
    /// Topics count their users by it; see ``identify(as:device:attributes:)``.
    public internal(set) var user: String?

    let shard: HubShard
    /// What the application made for it.
    public let handler: any SessionHandler
    /// `nil` before the upgrade is done and after the session has ended.
    var connection: WebSocketConnection?
    /// The same, for the fan-out, which need not keep it alive.
    ///
    /// Unchecked, as ``extras`` are, for the fan-out: their accesses call nothing and are the loop's.
    @exclusivity(unchecked) var link: Unmanaged<WebSocketConnection>?
    var subscriptions: [Subscription] = []
    @exclusivity(unchecked) var extras: SessionExtras?
    /// Counts the session against its address until it ends.
    var permit: AddressCounts.Permit?
    var hasEnded = false
    /// Its handler is told nothing of it.
    var isRefused = false
    /// The shard will let it have more of what waits for it.
    var isResuming = false
    /// Its ledger is kept.
    var isWatched = false
    /// Which of ``HubConfiguration/protocols`` it speaks.
    let protocolIndex: UInt8

    init(
        shard: HubShard, handler: any SessionHandler, protocolIndex: UInt8,
        permit: consuming AddressCounts.Permit
    ) {
        self.shard = shard
        self.handler = handler
        self.protocolIndex = protocolIndex
        self.permit = consume permit
        id = SessionID(loop: UInt16(shard.loop.index), slot: .max, generation: .max)
    }

    /// The loop that the session lives on.
    public var loop: EventLoop { shard.loop }

    /// The client's address; `nil` after the session has ended.
    public var remoteAddress: SocketAddress? { connection?.remoteAddress }

    /// Bytes handed to its connection that the network has not taken.
    public var queuedBytes: Int { connection?.queuedBytes ?? 0 }

    /// Whether the network has not taken what was sent to it.
    var isBacklogged: Bool { connection?.isBacklogged ?? true }

    // MARK: - Sending

    /// Sends a message to this client alone, before its topics' messages that wait.
    ///
    /// Nothing blocks: what the network does not take waits, within ``HubConfiguration/unicast``.
    ///
    /// - Returns: `aboveHighWatermark` where it waits, `refused` where it was dropped.
    @discardableResult
    public func send(_ bytes: RawSpan, kind: MessageKind) -> WriteOutcome {
        guard let connection else { return .closed }
        guard connection.isBacklogged || outbox != nil else {
            note { $0.alone += 1 }
            return connection.send(bytes, kind: kind)
        }
        return queue(PreparedMessage(bytes, kind: kind), on: connection)
    }

    /// Sends text to this client alone.
    @discardableResult
    public func send(text: String) -> WriteOutcome {
        var text = text
        text.makeContiguousUTF8()
        return send(text.utf8Span.span.bytes, kind: .text)
    }

    /// Sends a message that was encoded before.
    @discardableResult
    public func send(_ message: PreparedMessage) -> WriteOutcome {
        guard let connection else { return .closed }
        guard connection.isBacklogged || outbox != nil else {
            note { $0.alone += 1 }
            return connection.send(message)
        }
        return queue(message, on: connection)
    }

    /// Sends a message in the client's protocol, if that has a word for it.
    @discardableResult
    public func send(_ message: HubMessage) -> WriteOutcome {
        tell(.message(message))
    }

    /// Sends a message that is not worth waiting: it is dropped where the network has not taken what
    /// was sent before.
    @discardableResult
    public func sendVolatile(_ message: PreparedMessage) -> WriteOutcome {
        guard let connection else { return .closed }
        guard connection.isBacklogged || outbox != nil else {
            note { $0.alone += 1 }
            return connection.send(message)
        }
        note { $0.volatileDropped += 1 }
        return .refused
    }

    private func queue(_ message: PreparedMessage, on connection: WebSocketConnection)
        -> WriteOutcome
    {
        guard connection.isOpen else { return .closed }
        var outbox = self.outbox ?? Outbox()
        let droppedBefore = outbox.dropped
        let outcome = outbox.append(message, shard.configuration.unicast)
        note {
            $0.dropped += UInt64(outbox.dropped - droppedBefore)
            if outcome == .queued { $0.queued += 1 }
        }
        self.outbox = outbox
        switch outcome {
        case .queued: return .aboveHighWatermark
        case .dropped: return .refused
        case .overflow:
            self.outbox = nil
            connection.close(.tryAgainLater, reason: "too slow")
            return .closed
        }
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

    /// Subscribes to a topic, and sends what came after `position` before the live messages: neither
    /// gap nor duplicate lies between the two.
    ///
    /// The client is told first by a ``ServerEnvelope/subscribed(_:)``, in protocols that have a word
    /// for it; where what came after `position` is not all kept, it says so and what is kept follows.
    /// Where the session is subscribed already, it goes on from `position`.
    ///
    /// - Parameters:
    ///   - topic: Kept alive by the subscription.
    ///   - position: Up to where the client knows the topic; `nil` for from now on.
    /// - Throws: ``SubscribeError``, and nothing is changed.
    public func follow(
        _ topic: Topic, after position: TopicPosition? = nil
    ) throws(SubscribeError) {
        try shard.follow(self, topic, after: position, request: nil)
    }

    /// Ends a subscription; no message of the topic follows.
    ///
    /// - Returns: Whether there was one.
    @discardableResult
    public func unsubscribe(from topic: Topic) -> Bool {
        guard let position = position(of: topic) else {
            guard stopReturning(to: topic) != nil else { return false }
            tell(.unsubscribed(nil, topic: topic.name))
            return true
        }
        shard.unsubscribe(self, at: position)
        shard.tokenIsStale(of: self)
        return true
    }

    /// What the session is subscribed to, or was by its resume token and will be again.
    public var topics: [Topic] {
        subscriptions.map { shard.part(at: $0.slot).topic } + returning.map(\.topic)
    }

    /// The topic of that name, byte for byte, that the session is subscribed to.
    public func topic(named name: String) -> Topic? {
        topics.first { $0.name.isSameBytes(as: name) }
    }

    /// Where the subscription to `topic` is kept.
    ///
    /// A session has few of them: no index is kept.
    func position(of topic: Topic) -> Int? {
        subscriptions.firstIndex { shard.part(at: $0.slot).topic === topic }
    }
}

/// What the transport calls; kept apart so that the public class shows only what its users call.
final class ServedSession: Session, WebSocketHandler {
    func opened(_ connection: WebSocketConnection) {
        self.connection = connection
        link = .passUnretained(connection)
        shard.began(self)
    }

    func drained(_ connection: WebSocketConnection) {
        shard.resume(self)
        shard.goOnAnswering(self)
    }

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        shard.received(message, kind: kind, from: self)
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
    /// What a durable store knows of the topic has not been read yet; see
    /// ``HubServer/openTopic(_:)``.
    case loading
    /// The session has ended.
    case sessionEnded
}
