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
    let directories: HubDirectories
    let logger: Logger

    private(set) var sessions: SessionTable<Session>
    /// The topics with subscribers here; a subscription names its by the index.
    private(set) var parts: [TopicPart?] = []
    private var freeParts: [UInt32] = []
    private var partOfTopic: [ObjectIdentifier: UInt32] = [:]
    /// Topics with messages to deliver when the turn ends.
    private var dirty: [Topic] = []
    /// The messages of one topic that a pass delivers; emptied after each, its memory kept.
    var batch: [TopicEntry] = []
    private var isPassPending = false
    /// Sessions that can take more of what waits for them.
    private var resuming: [Session] = []
    /// With which of a session's topics the next one begins that gets what waits for it.
    var resumedFirst: UInt64 = 0
    /// Sessions whose ledgers are kept.
    var watched = 0
    /// What became of the messages of inboxes here.
    var inboxTotals = InboxTotals()
    /// How often an inbox was read from the store.
    var inboxReads: UInt64 = 0
    /// The reading of all inboxes anew, where that is under way.
    var inboxWalk: InboxWalk?

    /// Topics that other threads published to.
    private let inbox = Mutex<[Topic]>([])

    init(
        loop: EventLoop, application: any HubApplication, configuration: HubConfiguration,
        directories: HubDirectories, logger: Logger
    ) {
        self.loop = loop
        self.application = application
        self.configuration = configuration
        self.directories = directories
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

    func postForNextTurn(_ topic: Topic) {
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

    /// Lets the session have more of what waits for it, in the next turn.
    func resumeLater(_ session: Session) {
        guard !session.isResuming, !session.hasEnded else { return }
        session.isResuming = true
        resuming.append(session)
        if resuming.count == 1 { loop.execute { self.resumeWaiting() } }
    }

    private func resumeWaiting() {
        let ready = resuming
        resuming = []
        for session in ready {
            session.isResuming = false
            resume(session)
        }
    }

    // MARK: - Sessions

    func began(_ session: Session) {
        session.id = sessions.insert(session)
        directories.ledger.add(MemoryLedger.sessionBytes)
        if let refusal = session.takeIdentity() {
            session.isRefused = true
            return session.close(refusal)
        }
        welcome(session, isResumed: false)
        directories.onion.began(session)
        session.handler.began(session)
    }

    /// Tells the session what it is.
    func welcome(_ session: Session, isResumed: Bool) {
        session.tell(
            .welcome(
                .init(
                    session: "\(session.id)", user: session.user,
                    heartbeat: configuration.heartbeat.map {
                        // By then it pings in any case.
                        max($0.interval, $0.intervalMax ?? .zero)
                    }, isResumed: isResumed,
                    messageBytesMax: configuration.messageBytesMax)))
    }

    func ended(_ session: Session, _ reason: WebSocketCloseReason) {
        log(reason, of: session)
        endWatching(session)
        session.stopTokens()
        while !session.subscriptions.isEmpty {
            unsubscribe(session, at: session.subscriptions.count - 1)
        }
        // From here on it cannot subscribe: no list may refer to it any more.
        session.hasEnded = true
        session.permit = nil
        session.stopInbox()
        session.extras?.credentialWatch?.stop()
        session.failRequests()
        if let user = session.user { directories.sessions.remove(session.id, of: user) }
        if !session.isRefused {
            session.handler.ended(session, reason: reason)
            directories.onion.ended(session, reason)
        }
        session.link = nil
        session.connection = nil
        session.outbox = nil
        session.extras = nil
        directories.ledger.add(-MemoryLedger.sessionBytes)
        sessions.remove(session.id)
    }

    /// Notes what went wrong; a session that ends as it should is nobody's concern.
    private func log(_ reason: WebSocketCloseReason, of session: Session) {
        switch reason {
        case .peer, .local: return
        case .violation, .slowConsumer, .heartbeatTimedOut, .inputStalled, .closeTimedOut, .lost:
            break
        }
        guard logger.logLevel <= .debug, let address = session.remoteAddress else { return }
        var metadata: Logger.Metadata = [
            "session": "\(session.id)", "remote": "\(address)", "reason": "\(reason)",
        ]
        if let user = session.user { metadata["user"] = "\(user)" }
        logger.debug("session ended badly", metadata: metadata)
    }

    // MARK: - Parts of topics

    func slot(of topic: Topic) -> UInt32? { partOfTopic[ObjectIdentifier(topic)] }

    /// Forgets a part without subscribers.
    func remove(_ part: TopicPart) {
        directories.ledger.add(-part.countedBytes)
        partOfTopic[ObjectIdentifier(part.topic)] = nil
        parts[Int(part.slot)] = nil
        freeParts.append(part.slot)
    }

    func part(at slot: UInt32) -> TopicPart {
        guard let part = parts[Int(slot)] else {
            preconditionFailure("a subscription names slot \(slot), which is empty")
        }
        return part
    }

    func makePart(of topic: Topic, end: UInt64, at position: TopicPosition) -> TopicPart {
        let slot: UInt32
        if let free = freeParts.popLast() {
            slot = free
        } else {
            slot = UInt32(parts.count)
            parts.append(nil)
        }
        let part = TopicPart(topic: topic, slot: slot, end: end, at: position)
        parts[Int(slot)] = part
        partOfTopic[ObjectIdentifier(topic)] = slot
        return part
    }

    // MARK: - Presence

    func publishPresenceLater(_ topic: Topic) {
        loop.schedule(
            after: configuration.presenceInterval, PresenceNotice(topic: topic, shard: self))
    }

    fileprivate func publishPresence(_ topic: Topic) {
        let changes = topic.takePresenceChanges(
            max: configuration.presenceChangesMax)
        let notice =
            application.presenceChanged(changes, in: topic)
            .map { Publication($0, durability: .transient) }
            ?? Publication(presence: changes, in: topic.name)
        // Each node tells of its own.
        if topic.take(notice) == .overloaded { topic.restorePresenceChanges(changes) }
        if topic.presenceChangesPublished() { publishPresenceLater(topic) }
    }
}

extension HubShard: TurnTarget {
    func turnEnded(on loop: EventLoop) {
        isPassPending = false
        let isAlone = dirty.count == 1
        var index = 0
        while index < dirty.count {
            if let slot = partOfTopic[ObjectIdentifier(dirty[index])] {
                deliver(self.part(at: slot), isAlone: isAlone)
            }
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
