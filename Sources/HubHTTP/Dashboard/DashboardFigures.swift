import Hub
import NetPoll

/// What the page draws, as JSON; counters only rise, and the page makes rates of them.
struct DashboardFigures: Encodable {
    struct Messages: Encodable {
        let published, refused, delivered, caughtUp: UInt64
        let skipped, conflated, volatileDropped, gaps: UInt64

        init(_ metrics: TopicMetrics) {
            published = metrics.published
            refused = metrics.refused
            delivered = metrics.delivered
            caughtUp = metrics.caughtUp
            skipped = metrics.skipped
            conflated = metrics.conflated
            volatileDropped = metrics.volatileDropped
            gaps = metrics.gaps
        }
    }

    struct Queues: Encodable {
        let slowSessions, behind, queuedBytes: Int
        let aloneMessages, aloneBytes, topicMessages, topicBytes: Int
        let unacknowledged: Int
    }

    /// Of those that are `nil` the hub asks nothing of a store.
    struct Store: Encodable {
        let histories, deposits, changes: Int?
    }

    struct Memory: Encodable {
        let residentBytes: Int?
        let heldBytes: Int
    }

    struct Loop: Encodable {
        let index, sessions, turns, events, accepted, closed, sends, receives: Int
    }

    struct SlowSession: Encodable {
        let id: String
        let user, device: String?
        let queuedBytes, waitingMessages, waitingBytes: Int
        let behind: UInt64
    }

    struct Topic: Encodable {
        let name: String
        let subscribers, behind, waitingMessages, waitingBytes: Int
        let messages: Messages
    }

    /// Of a clock that only goes forward.
    let milliseconds: Int64
    let sessions: Int
    let users: Int
    let topicCount: Int
    let messages: Messages
    let inboxes: InboxTotals
    let queues: Queues
    let store: Store
    /// `nil` where no campaigns are shown.
    let campaigns: CampaignFigures?
    let memory: Memory
    let loops: [Loop]
    let slow: [SlowSession]
    let topics: [Topic]

    init(of hub: HubServer, _ survey: HubSurvey, _ campaigns: CampaignFigures?, at now: Instant) {
        milliseconds = now.nanoseconds / 1_000_000
        sessions = hub.sessionCount
        users = hub.userCount
        topicCount = survey.topics
        messages = Messages(survey.messages)
        inboxes = survey.inboxes
        queues = Queues(
            slowSessions: survey.slowSessions, behind: survey.behind,
            queuedBytes: survey.queuedBytes, aloneMessages: survey.aloneMessages,
            aloneBytes: survey.aloneBytes, topicMessages: survey.topicMessages,
            topicBytes: survey.topicBytes, unacknowledged: survey.unacknowledged)
        let waiting = hub.storeQueues
        store = Store(
            histories: waiting.histories, deposits: waiting.deposits, changes: waiting.changes)
        self.campaigns = campaigns
        memory = Memory(residentBytes: ResidentMemory.bytes, heldBytes: hub.heldBytes)
        loops = survey.loops.map {
            Loop(
                index: $0.index, sessions: $0.sessions, turns: $0.metrics.turns,
                events: $0.metrics.events, accepted: $0.metrics.accepted,
                closed: $0.metrics.closed, sends: $0.metrics.sends, receives: $0.metrics.receives)
        }
        slow = survey.slowest.map {
            SlowSession(
                id: "\($0.id)", user: $0.user, device: $0.device, queuedBytes: $0.queuedBytes,
                waitingMessages: $0.waitingMessages, waitingBytes: $0.waitingBytes,
                behind: $0.behind)
        }
        topics = survey.named.map {
            Topic(
                name: $0.name, subscribers: $0.subscribers, behind: $0.behind,
                waitingMessages: $0.waitingMessages, waitingBytes: $0.waitingBytes,
                messages: Messages($0.metrics))
        }
    }
}

/// One session with its ledger, as JSON.
struct WatchedSession: Encodable {
    struct Topic: Encodable {
        let name: String
        let behind: UInt64
    }

    let id: String
    let user, device, address, spoken: String?
    let queuedBytes, waitingMessages, waitingBytes, unacknowledged, topicCount: Int
    let topics: [Topic]
    let ledger: SessionLedger
    let watchedMilliseconds: Int64

    init(_ view: SessionView) {
        id = "\(view.id)"
        user = view.user
        device = view.device
        address = view.address.map { "\($0)" }
        spoken = view.spoken
        queuedBytes = view.queuedBytes
        waitingMessages = view.waiting.messages
        waitingBytes = view.waiting.bytes
        unacknowledged = view.unacknowledged
        topicCount = view.topicCount
        topics = view.topics.map { Topic(name: $0.name, behind: $0.behind) }
        ledger = view.ledger
        watchedMilliseconds = Int64(view.watchedFor / .milliseconds(1))
    }
}
