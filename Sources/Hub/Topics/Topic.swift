import NetPoll
import Synchronization
public import WSFrame

/// A named stream of messages in one order, seen alike by all its subscribers.
///
/// Any thread may publish and ask. Whoever holds a topic keeps it, its history and its ``epoch``
/// alive; a topic that nobody holds is forgotten after ``HubConfiguration/topicIdleTimeout``.
public final class Topic: Sendable {
    private struct State {
        var log: TopicLog<PreparedMessage>
        var presence = PresenceSet()
        var subscribers = 0

        var position: TopicPosition {
            TopicPosition(epoch: log.epoch, offset: log.offset)
        }

        func snapshot(after position: TopicPosition?, usersMax: Int) -> TopicSnapshot {
            let (messages, recovered) = log.messages(after: position)
            return TopicSnapshot(
                position: self.position, isRecovered: recovered, messages: messages,
                users: presence.users(max: usersMax), userCount: presence.count)
        }
    }

    /// The topic's name, unique in its hub byte for byte: no other spelling of it names this topic.
    public let name: String

    /// Names this life of the topic.
    public let epoch: Epoch

    let shards: [HubShard]
    private let subscribersMax: Int
    private let state: Mutex<State>

    init(name: String, epoch: Epoch, shards: [HubShard], limits: HubConfiguration.TopicLimits) {
        self.name = name
        self.epoch = epoch
        self.shards = shards
        subscribersMax = limits.subscribersMax
        let log = TopicLog<PreparedMessage>(
            epoch: epoch, loops: shards.count,
            limits: .init(
                historyMessagesMax: limits.historyMessagesMax,
                historyBytesMax: limits.historyBytesMax,
                liveMessagesMax: limits.undeliveredMessagesMax,
                liveBytesMax: limits.undeliveredBytesMax))
        state = Mutex(State(log: log))
    }

    /// Appends a message to the topic and sends it to every subscriber.
    ///
    /// It is encoded once, and each loop that has subscribers is told once per burst.
    ///
    /// Complexity: O(loops); the subscribers' share of the work is done on their loops.
    @discardableResult
    public func publish(_ publication: Publication) -> PublishOutcome {
        let stored = publication.durability == .stored
        let (outcome, wake) = state.withLock { state -> (PublishOutcome, LoopSet) in
            let bytes = publication.bytes
            guard state.log.hasRoom(for: bytes) else { return (.overloaded, LoopSet()) }
            let message = publication.encoded(offset: state.log.offset + 1)
            switch state.log.append(message, bytes: bytes, stored: stored) {
            case .appended(let wake): return (.published(stored ? state.position : nil), wake)
            case .refused: return (.overloaded, LoopSet())
            }
        }
        for loop in wake { shards[loop].post(self) }
        return outcome
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
        state.withLock { $0.snapshot(after: position, usersMax: usersMax) }
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
            guard state.subscribers < subscribersMax else { return false }
            state.subscribers += 1
            return true
        }
    }

    /// Begins the reading of a loop where the subscriber is its first, and tells what the topic holds
    /// and from which place of its order on live messages are not in that.
    func attach(
        loop: Int, isFirst: Bool, after position: TopicPosition?, usersMax: Int
    ) -> (snapshot: TopicSnapshot, liveFrom: UInt64) {
        state.withLock { state in
            if isFirst { state.log.attach(loop) }
            return (state.snapshot(after: position, usersMax: usersMax), state.log.liveEnd)
        }
    }

    /// Counts a subscriber out; a loop without one reads no more.
    func removeSubscriber(loop: Int, isLast: Bool) {
        state.withLock { state in
            state.subscribers -= 1
            if isLast { state.log.detach(loop) }
        }
    }

    /// Hands over what `loop` has not delivered yet, about `bytesMax` of it.
    func take(
        for loop: Int, into batch: inout [PreparedMessage], bytesMax: Int
    ) -> TopicLog<PreparedMessage>.OnTake {
        state.withLock { $0.log.take(for: loop, into: &batch, bytesMax: bytesMax) }
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
