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
    private func deliver(_ list: SubscriberList) {
        list.topic.take(for: loop.index, into: &batch)
        deliverBatch(to: list)
    }

    private func deliverBatch(to list: SubscriberList) {
        guard !batch.isEmpty else { return }
        // A connection tells of its end, and of what it queues, only after the turn's passes: the
        // list does not change under this loop.
        for subscriber in list.subscribers {
            subscriber.connection._withUnsafeGuaranteedRef { connection in
                for message in batch { connection.send(message) }
            }
        }
        batch.removeAll(keepingCapacity: batch.capacity <= 1_024)
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
        guard let connection = session.connection else { throw .sessionEnded }
        if session.position(of: topic) != nil {
            let list = list(for: topic)
            let snapshot = catchUp(list, isFirst: false, after: position, usersMax: usersMax)
            return snapshot
        }
        guard session.subscriptions.count < configuration.subscriptionsPerSessionMax else {
            throw .tooManySubscriptions
        }
        guard topic.admitSubscriber() else { throw .topicFull }
        if let user = session.user, topic.userJoined(user) { publishPresenceLater(topic) }
        let list = list(for: topic)
        // Those who are subscribed get what is under way first: the snapshot then ends, for the new
        // subscriber, exactly where its live messages begin.
        let snapshot = catchUp(
            list, isFirst: list.subscribers.isEmpty, after: position, usersMax: usersMax)
        let index = list.append(session, connection, position: session.subscriptions.count)
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

    private func catchUp(
        _ list: SubscriberList, isFirst: Bool, after position: TopicPosition?, usersMax: Int
    ) -> TopicSnapshot {
        let snapshot = list.topic.attach(
            loop: loop.index, isFirst: isFirst, after: position, usersMax: usersMax, unread: &batch)
        deliverBatch(to: list)
        return snapshot
    }

    // MARK: - Presence

    private func publishPresenceLater(_ topic: Topic) {
        loop.schedule(
            after: configuration.presenceInterval, PresenceNotice(topic: topic, shard: self))
    }

    fileprivate func publishPresence(_ topic: Topic) {
        let changes = topic.takePresenceChanges()
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
