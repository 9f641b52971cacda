package import NetPoll

/// What a look at all sessions and topics of a hub found.
package struct HubSurvey: Sendable {
    /// A session for which something waits.
    package struct SlowSession: Sendable {
        package let id: SessionID
        package let user: String?
        package let device: String?
        /// Bytes that the network has not taken.
        package let queuedBytes: Int
        /// Messages for it alone that wait, and their bytes.
        package let waitingMessages: Int
        package let waitingBytes: Int
        /// Messages of its topics that it lacks.
        package let behind: UInt64

        var weight: UInt64 {
            let bytes = UInt64(queuedBytes + waitingBytes)
            let (sum, overflows) = bytes.addingReportingOverflow(behind)
            return overflows ? .max : sum
        }
    }

    /// A topic, as far as this survey knows of it.
    package struct TopicFigures: Sendable {
        package let name: String
        package var subscribers = 0
        package var metrics = TopicMetrics()
        /// Subscribers that have fallen behind.
        package var behind = 0
        /// Messages that wait for them, on all loops, and their bytes.
        package var waitingMessages = 0
        package var waitingBytes = 0
    }

    /// One loop.
    package struct LoopFigures: Sendable {
        package let index: Int
        package let sessions: Int
        package let metrics: LoopMetrics
    }

    /// Sessions for which something waits.
    package var slowSessions = 0
    /// Bytes handed to connections that the network has not taken.
    package var queuedBytes = 0
    /// Messages for single sessions that wait, and their bytes.
    package var aloneMessages = 0
    package var aloneBytes = 0
    /// Messages of topics that wait, each once on each loop however many lack it, and their bytes.
    package var topicMessages = 0
    package var topicBytes = 0
    /// Subscriptions that have fallen behind.
    package var behind = 0
    /// Messages of inboxes that sessions were given and have not acknowledged.
    package var unacknowledged = 0
    /// Topics, and what all of them did.
    package var topics = 0
    package var messages = TopicMetrics()
    /// What became of the messages of inboxes.
    package var inboxes = InboxTotals()
    /// Those for which most waits.
    package var slowest: [SlowSession] = []
    /// The topics with the most subscribers that have fallen behind, and then those with the most
    /// subscribers.
    package var named: [TopicFigures] = []
    package var loops: [LoopFigures] = []

    /// The topics of ``named`` before all loops have told theirs: with subscribers that have fallen
    /// behind, each with what one or more loops know of it; and with the most subscribers.
    private var lagging: [TopicFigures] = []
    private var largest: [TopicFigures] = []

    package init() {}

    /// Adds what another loop found.
    mutating func add(_ other: HubSurvey, top: Int) {
        slowSessions += other.slowSessions
        queuedBytes += other.queuedBytes
        aloneMessages += other.aloneMessages
        aloneBytes += other.aloneBytes
        topicMessages += other.topicMessages
        topicBytes += other.topicBytes
        behind += other.behind
        unacknowledged += other.unacknowledged
        topics += other.topics
        messages += other.messages
        inboxes += other.inboxes
        for session in other.slowest { note(session, top: top) }
        for topic in other.lagging {
            if let known = lagging.firstIndex(where: { $0.name.isSameBytes(as: topic.name) }) {
                lagging[known].behind += topic.behind
                lagging[known].waitingMessages += topic.waitingMessages
                lagging[known].waitingBytes += topic.waitingBytes
            } else {
                lagging.append(topic)
            }
        }
        for topic in other.largest { note(largest: topic, top: top) }
        loops += other.loops
    }

    /// Names the topics and puts everything in order, when all loops have told theirs.
    mutating func close(top: Int) {
        lagging.sort { $0.behind > $1.behind }
        let others = largest.filter { topic in
            !lagging.contains { $0.name.isSameBytes(as: topic.name) }
        }
        named = Array((lagging + others).prefix(top))
        (lagging, largest) = ([], [])
        loops.sort { $0.index < $1.index }
    }

    /// Keeps the session if it is among the `top` slowest.
    mutating func note(_ session: SlowSession, top: Int) {
        Self.keep(session, in: &slowest, top: top) { $0.weight > $1.weight }
    }

    /// Keeps a topic if it is among the `top` with the most subscribers that have fallen behind.
    mutating func note(lagging topic: TopicFigures, top: Int) {
        Self.keep(topic, in: &lagging, top: top) { $0.behind > $1.behind }
    }

    /// Keeps a topic if it is among the `top` with the most subscribers.
    mutating func note(largest topic: TopicFigures, top: Int) {
        Self.keep(topic, in: &largest, top: top) { $0.subscribers > $1.subscribers }
    }

    private static func keep<Item>(
        _ item: Item, in items: inout [Item], top: Int, ranks: (Item, Item) -> Bool
    ) {
        if items.count == top {
            guard let last = items.last, ranks(item, last) else { return }
            items.removeLast()
        }
        let place = items.firstIndex { ranks(item, $0) } ?? items.count
        items.insert(item, at: place)
    }
}
