import Logging
import NetPoll
import Synchronization
import WSFrame
import WSTransport

/// One loop's part of the hub: its sessions, and which of them subscribe to what.
///
/// Unchecked: everything but the inbox is touched on the loop only, which the entry points check;
/// the inbox is behind a lock. Locks nest in the order topic, then nothing: a topic's lock is never
/// held while a shard is told.
final class HubShard: @unchecked Sendable {
    /// About what one topic sends to each subscriber per turn; far below any send queue.
    private static let deliveredBytesPerTurn = 128 << 10

    let loop: EventLoop
    let application: any HubApplication
    let configuration: HubConfiguration
    let logger: Logger

    private(set) var sessions: SessionTable<Session>
    private var lists: [ObjectIdentifier: SubscriberList] = [:]
    /// Topics with messages to deliver when the turn ends.
    private var dirty: [Topic] = []
    /// The messages of one topic that a pass delivers; emptied after each, its memory kept.
    private var batch: [PreparedMessage] = []
    private var isPassPending = false

    /// Topics that other threads published to.
    private let inbox = Mutex<[Topic]>([])

    init(
        loop: EventLoop, application: any HubApplication, configuration: HubConfiguration,
        logger: Logger
    ) {
        self.loop = loop
        self.application = application
        self.configuration = configuration
        self.logger = logger
        sessions = SessionTable(loop: loop.index)
    }

    // MARK: - Delivery

    /// Tells the loop that `topic` has messages for its subscribers.
    ///
    /// Any thread may call this; a burst of calls wakes the loop once and costs it one pass.
    func post(_ topic: Topic) {
        if loop.isCurrent {
            markDirty(topic)
            return
        }
        postForNextTurn(topic)
    }

    private func postForNextTurn(_ topic: Topic) {
        let isFirst = inbox.withLock { inbox in
            inbox.append(topic)
            return inbox.count == 1
        }
        if isFirst { loop.execute { self.takePosted() } }
    }

    private func takePosted() {
        let posted = inbox.withLock { inbox in
            let posted = inbox
            inbox.removeAll(keepingCapacity: inbox.capacity <= 1_024)
            return posted
        }
        for topic in posted { markDirty(topic) }
    }

    private func markDirty(_ topic: Topic) {
        dirty.append(topic)
        guard !isPassPending else { return }
        isPassPending = true
        loop.runAtEndOfTurn(self)
    }

    /// Sends what the loop has not read of the list's topic to its subscribers, each of which is
    /// flushed once when the turn ends.
    ///
    /// What is more than a turn's worth is left for the next one, so that the network can take the
    /// first part before the second is queued.
    private func deliver(_ list: SubscriberList) {
        let taken = list.topic.take(
            for: loop.index, into: &batch, bytesMax: Self.deliveredBytesPerTurn)
        // A connection tells of its end, and of what it queues, only after the turn's passes: the
        // list does not change under these loops.
        if list.allLiveFrom <= taken.start {
            for subscriber in list.subscribers {
                subscriber.connection._withUnsafeGuaranteedRef { connection in
                    for message in batch { connection.send(message) }
                }
            }
        } else {
            for subscriber in list.subscribers {
                let known =
                    subscriber.liveFrom > taken.start ? subscriber.liveFrom - taken.start : 0
                subscriber.connection._withUnsafeGuaranteedRef { connection in
                    for message in batch.dropFirst(Int(known)) { connection.send(message) }
                }
            }
        }
        batch.removeAll(keepingCapacity: batch.capacity <= 1_024)
        if taken.hasMore { postForNextTurn(list.topic) }
    }

    // MARK: - Sessions

    func began(_ session: Session) {
        session.id = sessions.insert(session)
        session.handler.began(session)
    }

    func ended(_ session: Session, _ reason: WebSocketCloseReason) {
        log(reason, of: session)
        while !session.subscriptions.isEmpty {
            unsubscribe(session, at: session.subscriptions.count - 1)
        }
        // From here on it cannot subscribe: no list may refer to it any more.
        session.hasEnded = true
        session.permit = nil
        session.handler.ended(session, reason: reason)
        session.connection = nil
        sessions.remove(session.id)
    }

    /// Notes what went wrong; a session that ends as it should is nobody's concern.
    private func log(_ reason: WebSocketCloseReason, of session: Session) {
        switch reason {
        case .peer, .local: return
        case .violation, .slowConsumer, .heartbeatTimedOut, .closeTimedOut, .lost: break
        }
        guard logger.logLevel <= .debug, let address = session.remoteAddress else { return }
        logger.debug(
            "session ended badly",
            metadata: [
                "session": "\(session.id)", "remote": "\(address)", "reason": "\(reason)",
            ])
    }

    // MARK: - Subscriptions

    func subscribe(
        _ session: Session, to topic: Topic, after position: TopicPosition?, usersMax: Int
    ) throws(SubscribeError) -> TopicSnapshot {
        guard let connection = session.connection, !session.hasEnded else { throw .sessionEnded }
        if let known = session.position(of: topic) {
            let subscription = session.subscriptions[known]
            let (snapshot, liveFrom) = topic.attach(
                loop: loop.index, isFirst: false, after: position, usersMax: usersMax)
            subscription.list.caughtUp(at: subscription.index, liveFrom: liveFrom)
            return snapshot
        }
        guard session.subscriptions.count < configuration.subscriptionsPerSessionMax else {
            throw .tooManySubscriptions
        }
        guard topic.admitSubscriber() else { throw .topicFull }
        if let user = session.user, topic.userJoined(user) { publishPresenceLater(topic) }
        let list = list(for: topic)
        // What is under way to the others and in the snapshot is skipped for the new subscriber.
        let (snapshot, liveFrom) = topic.attach(
            loop: loop.index, isFirst: list.subscribers.isEmpty, after: position,
            usersMax: usersMax)
        let index = list.append(
            session, connection, liveFrom: liveFrom, position: session.subscriptions.count)
        session.subscriptions.append(Session.Subscription(list: list, index: index))
        return snapshot
    }

    func unsubscribe(_ session: Session, at position: Int) {
        let subscription = session.subscriptions[position]
        let list = subscription.list
        list.remove(at: subscription.index)
        let last = session.subscriptions.removeLast()
        if position < session.subscriptions.count {
            session.subscriptions[position] = last
            last.list.moved(at: last.index, to: position)
        }
        let isLast = list.subscribers.isEmpty
        if isLast { lists[ObjectIdentifier(list.topic)] = nil }
        list.topic.removeSubscriber(loop: loop.index, isLast: isLast)
        if let user = session.user, list.topic.userLeft(user) { publishPresenceLater(list.topic) }
    }

    private func list(for topic: Topic) -> SubscriberList {
        if let list = lists[ObjectIdentifier(topic)] { return list }
        let list = SubscriberList(topic: topic)
        lists[ObjectIdentifier(topic)] = list
        return list
    }

    // MARK: - Presence

    private func publishPresenceLater(_ topic: Topic) {
        loop.schedule(
            after: configuration.presenceInterval, PresenceNotice(topic: topic, shard: self))
    }

    fileprivate func publishPresence(_ topic: Topic) {
        let changes = topic.takePresenceChanges(
            max: configuration.presenceChangesMax)
        if let message = application.presenceChanged(changes, in: topic) {
            let outcome = topic.publish(Publication(message, durability: .transient))
            if outcome == .overloaded { topic.restorePresenceChanges(changes) }
        }
        if topic.presenceChangesPublished() { publishPresenceLater(topic) }
    }
}

extension HubShard: TurnTarget {
    func turnEnded(on loop: EventLoop) {
        isPassPending = false
        var index = 0
        while index < dirty.count {
            if let list = lists[ObjectIdentifier(dirty[index])] { deliver(list) }
            index += 1
        }
        dirty.removeAll(keepingCapacity: dirty.capacity <= 1_024)
    }
}

/// Publishes a topic's gathered presence changes when its timer fires.
private final class PresenceNotice: TimerTarget {
    private let topic: Topic
    private let shard: HubShard

    init(topic: Topic, shard: HubShard) {
        self.topic = topic
        self.shard = shard
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        shard.publishPresence(topic)
    }
}
