import NetPoll
import Synchronization

// Surveys take many turns: each looks at a bounded number of sessions and topics, so that a hub with
// hundreds of thousands of them serves as before.
extension HubServer {
    /// Users with sessions.
    package var userCount: Int { directories.sessions.count }

    /// What waits for the hub's store, that which is being written included.
    package var storeQueues: StoreQueues {
        StoreQueues(
            histories: directories.histories?.batches.depth,
            deposits: directories.inboxes?.deposits.depth,
            changes: directories.inboxes?.changes.depth)
    }

    /// Looks at every session and topic.
    ///
    /// Each loop looks at its own, ``ShardSurvey/itemsPerTurn`` a turn; what changes meanwhile may be
    /// seen or not. The list of topics is copied once, under the lock of the registry.
    ///
    /// - Parameter top: How many single sessions and topics to name.
    /// - Returns: What was found.
    package func survey(top: Int) async -> HubSurvey {
        precondition(top > 0, "a survey that names \(top)")
        return await withCheckedContinuation { continuation in
            let gathering = SurveyGathering(loops: shards.count, top: top) {
                continuation.resume(returning: $0)
            }
            for shard in shards {
                // The first loop looks at the topics themselves for all.
                let topics = shard.loop.index == 0 ? self.topics : []
                let past = shard.loop.index == 0 ? pastMessages : TopicMetrics()
                let willRun = shard.loop.execute {
                    ShardSurvey(shard, topics: topics, past: past, top: top) {
                        gathering.add($0)
                    }.advance()
                }
                if !willRun { gathering.add(HubSurvey()) }
            }
        }
    }
}

/// Adds up what the loops found.
private final class SurveyGathering: Sendable {
    private struct State {
        var survey = HubSurvey()
        var loopsLeft: Int
    }

    private let top: Int
    private let whenDone: @Sendable (HubSurvey) -> Void
    private let state: Mutex<State>

    init(loops: Int, top: Int, _ whenDone: @escaping @Sendable (HubSurvey) -> Void) {
        self.top = top
        self.whenDone = whenDone
        state = Mutex(State(loopsLeft: loops))
    }

    func add(_ found: HubSurvey) {
        let whole = state.withLock { state -> HubSurvey? in
            state.survey.add(found, top: top)
            state.loopsLeft -= 1
            return state.loopsLeft == 0 ? state.survey : nil
        }
        guard var whole else { return }
        whole.close(top: top)
        whenDone(whole)
    }
}

/// One loop's part of a survey.
final class ShardSurvey {
    /// Sessions with their subscriptions, or topics, that one turn looks at.
    static let itemsPerTurn = 512

    private let shard: HubShard
    private let topics: [Topic]
    private let top: Int
    private var whenDone: ((HubSurvey) -> Void)?
    private var survey = HubSurvey()
    private var place = 0
    private var stage = Stage.sessions

    private enum Stage {
        case sessions
        case parts
        case topics
    }

    init(
        _ shard: HubShard, topics: [Topic], past: TopicMetrics, top: Int,
        _ whenDone: @escaping (HubSurvey) -> Void
    ) {
        self.shard = shard
        self.topics = topics
        self.top = top
        self.whenDone = whenDone
        survey.topics = topics.count
        survey.messages = past
    }

    /// The loop was shut down meanwhile: what was found so far is told.
    deinit { whenDone?(survey) }

    /// Looks at the next ones, and goes on in the next turn.
    func advance() {
        var end = place + Self.itemsPerTurn
        let isOver: Bool
        switch stage {
        case .sessions:
            end = lookAtSessions()
            isOver = end >= shard.sessions.slotCount
        case .parts:
            for index in place..<min(end, max(place, shard.parts.count)) {
                if let part = shard.parts[index] { look(at: part) }
            }
            isOver = end >= shard.parts.count
        case .topics:
            for topic in topics[place..<min(end, topics.count)] { look(at: topic) }
            isOver = end >= topics.count
        }
        place = isOver ? 0 : end
        if isOver {
            switch stage {
            case .sessions: stage = .parts
            case .parts: stage = .topics
            case .topics: return finish()
            }
        }
        shard.loop.schedule(after: .milliseconds(1), SurveyStep(self))
    }

    private func finish() {
        survey.inboxes = shard.inboxTotals
        survey.loops = [
            .init(
                index: shard.loop.index, sessions: shard.sessions.count,
                metrics: shard.loop.metrics)
        ]
        whenDone?(survey)
        whenDone = nil
    }

    /// Looks at as many as are due; returns the slot to go on with.
    private func lookAtSessions() -> Int {
        var slot = place
        var left = Self.itemsPerTurn
        while left > 0, slot < shard.sessions.slotCount {
            left -= 1
            if let session = shard.sessions.session(inSlot: slot), look(session) {
                left -= session.subscriptions.count
            }
            slot += 1
        }
        return slot
    }

    /// Returns whether something waits for it, so that its subscriptions were looked at too.
    private func look(_ session: Session) -> Bool {
        let queued = session.queuedBytes
        survey.queuedBytes += queued
        survey.unacknowledged += session.inbox?.delivery.count ?? 0
        let outbox = session.outbox
        guard outbox != nil || (session.connection != nil && session.isBacklogged) else {
            return false
        }
        survey.slowSessions += 1
        survey.aloneMessages += outbox?.count ?? 0
        survey.aloneBytes += outbox?.bytes ?? 0
        let behind = session.subscriptions.reduce(0 as UInt64) { sum, subscription in
            sum &+ shard.part(at: subscription.slot).lacking(Int(subscription.index))
        }
        survey.note(
            HubSurvey.SlowSession(
                id: session.id, user: session.user, device: session.device, queuedBytes: queued,
                waitingMessages: outbox?.count ?? 0, waitingBytes: outbox?.bytes ?? 0,
                behind: behind),
            top: top)
        return true
    }

    private func look(at part: TopicPart) {
        guard part.behind > 0 else { return }
        survey.behind += part.behind
        survey.topicMessages += part.window.count
        survey.topicBytes += part.window.bytes
        var figures = HubSurvey.TopicFigures(name: part.topic.name)
        figures.subscribers = part.topic.subscriberCount
        figures.metrics = part.topic.metrics
        figures.behind = part.behind
        figures.waitingMessages = part.window.count
        figures.waitingBytes = part.window.bytes
        survey.note(lagging: figures, top: top)
    }

    private func look(at topic: Topic) {
        var figures = HubSurvey.TopicFigures(name: topic.name)
        figures.subscribers = topic.subscriberCount
        figures.metrics = topic.metrics
        survey.messages += figures.metrics
        survey.note(largest: figures, top: top)
    }
}

private final class SurveyStep: TimerTarget {
    private let survey: ShardSurvey

    init(_ survey: ShardSurvey) {
        self.survey = survey
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) { survey.advance() }
}
