import NetPoll
import Synchronization
import WSFrame

/// A named stream of messages in one order, seen alike by all its subscribers.
///
/// Any thread may publish and ask. Whoever holds a topic keeps it, its history and its ``epoch``
/// alive; a topic that nobody holds is forgotten after ``HubConfiguration/topicIdleTimeout``, or
/// with the last idempotency key that it remembers.
public final class Topic: Sendable {
    struct State {
        /// What the store knows has been read, where it keeps histories.
        var isLoaded = true
        /// Whoever waits for that.
        var waiting = LoadWaiters()
        var awaitingLoad: [ReadingWaiter] = []
        /// Why the last attempt to read it failed; `nil` while the first is under way.
        var loadFailure: StoreError?
        /// Whoever waits for the end of that.
        var awaitingAttempt: [ReadingWaiter] = []
        var log: TopicLog<TopicEntry>
        /// What the hub's ledger counts of it.
        var countedBytes = 0
        var presence: PresenceSet
        var subscribers = 0
        var metrics = TopicMetrics()
        var keys: IdempotencyKeys<PublishOutcome>
        /// Who hears its messages on the server's side.
        var listeners: [TopicListener] = []
        /// What they have not heard yet.
        var heard: [TopicEntry] = []
        var isHearing = false
        /// What other nodes published is read from the store.
        var isCatchingUp = false
        /// The store holds more than was read.
        var isBehind = false

        var position: TopicPosition {
            TopicPosition(epoch: log.epoch, offset: log.offset)
        }

        /// Bytes of the messages held, and of the keys that are remembered.
        var bytes: Int { log.bytes + keys.bytes }

        func join(after position: TopicPosition?, usersMax: Int) -> TopicJoin {
            let (entries, recovered) = log.messages(after: position)
            return TopicJoin(
                position: self.position, isRecovered: recovered, entries: entries,
                users: presence.users(max: usersMax), userCount: presence.count,
                liveFrom: log.liveEnd)
        }
    }

    private static let keyLife = Duration.seconds(300)

    /// The topic's name, unique in its hub byte for byte: no other spelling of it names this topic.
    public let name: String

    /// Names this life of the topic.
    ///
    /// Where the hub's store is durable, it is the store's as soon as that has been asked.
    public var epoch: Epoch { state.withLock { $0.log.epoch } }

    let shards: [HubShard]
    let limits: HubConfiguration.TopicLimits
    let protocols: Int
    let state: Mutex<State>
    /// Whether publications are known by their keys, which would be forgotten with the topic.
    let remembersKeys = Atomic(false)

    init(
        name: String, epoch: Epoch, shards: [HubShard], limits: HubConfiguration.TopicLimits,
        protocols: Int, isLoaded: Bool = true
    ) {
        self.name = name
        self.shards = shards
        self.limits = limits
        self.protocols = protocols
        let log = TopicLog<TopicEntry>(
            epoch: epoch, loops: shards.count,
            limits: .init(
                historyMessagesMax: limits.historyMessagesMax,
                historyBytesMax: limits.historyBytesMax,
                liveMessagesMax: limits.undeliveredMessagesMax,
                liveBytesMax: limits.undeliveredBytesMax))
        state = Mutex(
            State(
                log: log, presence: PresenceSet(mode: limits.presence),
                keys: IdempotencyKeys(keysMax: limits.idempotencyKeysMax)))
        if !isLoaded { state.withLock { $0.isLoaded = false } }
        updateListeners()
    }

    /// Appends a message to the topic and sends it to every subscriber.
    ///
    /// It is encoded once for each protocol that subscribers speak, and each loop that has
    /// subscribers is told once per burst.
    ///
    /// Complexity: O(loops); the subscribers' share of the work is done on their loops.
    @discardableResult
    public func publish(_ publication: Publication) -> PublishOutcome {
        let onion = shards[0].directories.onion
        guard !onion.isEmpty else { return append(publication) }
        return onion.publish(publication, to: self) { append($0) }
    }

    /// Appends what has passed the middleware.
    ///
    /// `whenDone` is called where the outcome is ``PublishOutcome/accepted``.
    func append(
        _ publication: Publication,
        whenDone: (@Sendable (Result<PublishOutcome, StoreError>) -> Void)? = nil
    ) -> PublishOutcome {
        let stored = publication.durability == .stored
        if stored, let writer = shards[0].directories.histories {
            return store(publication, by: writer, whenDone: whenDone)
        }
        if let node = shards[0].directories.node {
            return node.publish(publication, to: self)
        }
        return take(publication)
    }

    /// Gives a publication its place among those that this node knows.
    func take(_ publication: Publication) -> PublishOutcome {
        let stored = publication.durability == .stored
        let now = shards[0].configuration.calendar()
        var isHeard = false
        let (outcome, wake) = state.withLock { state -> (PublishOutcome, LoopSet) in
            let bytes = publication.bytes
            if let known = known(publication, at: now, state) { return (known, LoopSet()) }
            guard hasRoom(for: bytes, state) else {
                state.metrics.refused += 1
                return (.overloaded, LoopSet())
            }
            let entry = TopicEntry(
                publication, topic: name,
                position: TopicPosition(
                    epoch: state.log.epoch, offset: state.log.offset + (stored ? 1 : 0)),
                time: now, protocols: protocols)
            guard case .appended(let wake) = state.log.append(entry, bytes: bytes, stored: stored)
            else { return (.overloaded, LoopSet()) }
            state.metrics.published += 1
            isHeard = state.note(entry)
            dropOld(&state, at: now)
            let outcome = PublishOutcome.published(stored ? entry.position : nil)
            remember(publication, outcome, at: now, &state)
            count(&state)
            return (outcome, wake)
        }
        for loop in wake { shards[loop].post(self) }
        if isHeard { letHear() }
        return outcome
    }

    /// What became of a publication that was tried before.
    func known(
        _ publication: Publication, at now: Timestamp, _ state: borrowing State
    ) -> PublishOutcome? {
        publication.repeatKey.flatMap { state.keys.value(of: $0, at: now) }
    }

    /// Remembers what became of a publication that may be tried again; ``count(_:)`` is to follow.
    func remember(
        _ publication: Publication, _ outcome: PublishOutcome, at now: Timestamp,
        _ state: inout State
    ) {
        guard let key = publication.repeatKey else { return }
        state.keys.remember(key, outcome, until: now + Self.keyLife, at: now)
    }

    /// It was not published: it is not known when it is tried again.
    func forget(_ publication: Publication, at now: Timestamp, _ state: inout State) {
        guard let key = publication.repeatKey else { return }
        state.keys.remember(key, .overloaded, until: now, at: now)
    }

    /// Whether neither the loops nor the listeners are too far behind for another message.
    func hasRoom(for bytes: Int, _ state: borrowing State) -> Bool {
        state.log.hasRoom(for: bytes) && state.heard.count < limits.undeliveredMessagesMax
    }

    deinit {
        let counted = state.withLock { $0.countedBytes }
        if counted != 0 { shards[0].directories.ledger.add(-counted) }
    }

    /// Keeps the hub's ledger right, and to it.
    func count(_ state: inout State) {
        guard let ledger = shards.first?.directories.ledger else { return }
        if ledger.stage == .shrinking {
            state.log.shrinkHistory(to: MemoryLedger.shrunkTo)
            state.keys.shrink(to: limits.idempotencyKeysMax / MemoryLedger.shrunkTo)
        }
        let remembers = state.keys.count > 0
        if remembersKeys.load(ordering: .relaxed) != remembers {
            remembersKeys.store(remembers, ordering: .relaxed)
        }
        let bytes = state.bytes
        guard state.countedBytes != bytes else { return }
        ledger.add(bytes - state.countedBytes)
        state.countedBytes = bytes
    }

    /// The time by which its messages grow old; `nil` where they do not. Asked before the lock is
    /// taken.
    var ageClock: Timestamp? {
        limits.historyAge == nil ? nil : shards[0].configuration.calendar()
    }

    /// Drops what is older than messages may become.
    func dropOld(_ state: inout State, at now: Timestamp?) {
        guard let now, let age = limits.historyAge else { return }
        let bytes = state.log.bytes
        state.log.dropHistory { $0.time + age <= now }
        if state.log.bytes != bytes { count(&state) }
    }

    /// Forgets keys and messages whose time has passed, and gives way where memory is short.
    func giveWay() {
        let now = shards[0].configuration.calendar()
        state.withLock { state in
            state.keys.removeExpired(at: now)
            dropOld(&state, at: now)
            count(&state)
        }
    }

    /// What it did since it was made.
    ///
    /// Loops add to it as they deliver.
    public var metrics: TopicMetrics {
        state.withLock { $0.metrics }
    }

    /// Just after the last stored message.
    public var position: TopicPosition {
        state.withLock { $0.position }
    }

    /// The stored messages after `position`, and who is there.
    ///
    /// - Parameters:
    ///   - position: Up to where the asker knows the topic; `nil` gives all that is kept.
    ///   - usersMax: How many names to give at most.
    /// - Returns: All of it at one point of the topic's order.
    public func snapshot(after position: TopicPosition? = nil, usersMax: Int = 0) -> TopicSnapshot {
        let now = ageClock
        let joined = state.withLock { state in
            dropOld(&state, at: now)
            return state.join(after: position, usersMax: usersMax)
        }
        return joined.snapshot(for: 0, of: shards[0].configuration.protocols)
    }

    /// How many sessions are subscribed.
    public var subscriberCount: Int {
        state.withLock { $0.subscribers }
    }

    /// How many users are there, each counted once however many sessions it has.
    public var userCount: Int {
        state.withLock { $0.presence.count }
    }

    // MARK: - The loops' side

    /// Counts a subscriber in, unless the topic is full.
    func admitSubscriber() -> Bool {
        state.withLock { state in
            guard state.subscribers < limits.subscribersMax else { return false }
            state.subscribers += 1
            return true
        }
    }

    /// Begins the reading of a loop where the subscriber is its first, and tells what the topic holds
    /// and from which place of its order on live messages are not in that.
    func attach(
        loop: Int, isFirst: Bool, after position: TopicPosition?, usersMax: Int
    ) -> TopicJoin {
        let now = ageClock
        return state.withLock { state in
            dropOld(&state, at: now)
            if isFirst { state.log.attach(loop) }
            return state.join(after: position, usersMax: usersMax)
        }
    }

    /// As ``attach(loop:isFirst:after:usersMax:)``, for a subscriber that goes on from `position`, or
    /// from now on, by its cursor.
    func attach(loop: Int, isFirst: Bool, following position: TopicPosition?) -> TopicPlace {
        let now = ageClock
        return state.withLock { state in
            dropOld(&state, at: now)
            if isFirst { state.log.attach(loop) }
            let log = state.log
            let live = Cursor(.waiting(log.liveEnd))
            let count = limits.presence == .nobody ? nil : state.presence.count
            guard let position else {
                return TopicPlace(
                    position: state.position, end: state.position, isRecovered: false,
                    cursor: live, liveEnd: log.liveEnd, count: count)
            }
            let isRecovered = log.holds(after: position)
            let known = isRecovered ? position.offset : log.firstOffset - 1
            return TopicPlace(
                position: TopicPosition(epoch: log.epoch, offset: known), end: state.position,
                isRecovered: isRecovered,
                cursor: known == log.offset ? live : Cursor(.catchingUp(known)),
                liveEnd: log.liveEnd, count: count)
        }
    }

    /// A part of the history.
    ///
    /// Messages that were encoded before they were published are told as their bytes.
    ///
    /// - Parameters:
    ///   - position: Up to where the asker knows the topic; `nil` for the newest.
    ///   - limit: How much.
    /// - Returns: As ``MessageStore/history(of:after:limit:at:)``.
    public func history(after position: TopicPosition?, limit: PageLimit) -> HistoryPage {
        let now = ageClock
        let (page, end) = state.withLock { state in
            dropOld(&state, at: now)
            return (state.log.page(after: position, limit), state.position)
        }
        return HistoryPage(
            end: end, isRecovered: page.isGapless, messages: page.messages.map(\.stored),
            hasMore: page.hasMore)
    }

    /// Counts a subscriber out; a loop without one reads no more.
    func removeSubscriber(loop: Int, isLast: Bool) {
        state.withLock { state in
            state.subscribers -= 1
            if isLast { state.log.detach(loop) }
            count(&state)
        }
    }

    /// Hands over what `loop` has not delivered yet, about `bytesMax` of it.
    func take(
        for loop: Int, into batch: inout [TopicEntry], bytesMax: Int
    ) -> TopicLog<TopicEntry>.OnTake {
        state.withLock { state in
            defer { count(&state) }
            return state.log.take(for: loop, into: &batch, bytesMax: bytesMax)
        }
    }

    /// Stored messages for a subscriber that fell behind.
    func read(after offset: UInt64, bytesMax: Int) -> TopicLog<TopicEntry>.OnRead {
        let now = ageClock
        return state.withLock { state in
            dropOld(&state, at: now)
            return state.log.read(after: offset, bytesMax: bytesMax)
        }
    }

    /// Adds what a loop did to the topic's metrics.
    func add(_ metrics: TopicMetrics) {
        state.withLock { $0.metrics += metrics }
    }

    // MARK: - Presence

    /// Notes that a session of `user` came; whether the changes have to be published some time on.
    func userJoined(_ user: String) -> Bool {
        state.withLock { $0.presence.joined(user) }
    }

    /// Notes that a session of `user` went; whether the changes have to be published some time on.
    func userLeft(_ user: String) -> Bool {
        state.withLock { $0.presence.left(user) }
    }

    func takePresenceChanges(max changesMax: Int) -> PresenceChanges {
        state.withLock { $0.presence.takeChanges(max: changesMax) }
    }

    /// Takes back changes that could not be published.
    func restorePresenceChanges(_ changes: PresenceChanges) {
        state.withLock { $0.presence.restore(changes) }
    }

    /// Ends what ``takePresenceChanges(max:)`` began; whether it is needed again.
    func presenceChangesPublished() -> Bool {
        state.withLock { $0.presence.changesPublished() }
    }
}
