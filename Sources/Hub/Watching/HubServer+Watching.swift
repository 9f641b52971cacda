package import NetPoll

/// One session, as whoever runs the hub sees it.
package struct SessionView: Sendable {
    /// How far it is in one of its topics.
    package struct TopicView: Hashable, Sendable {
        package let name: String
        /// Messages that it lacks.
        package let behind: UInt64
    }

    package let id: SessionID
    package let user: String?
    package let device: String?
    package let address: SocketAddress?
    /// The name of its protocol; `nil` for the bare one.
    package let spoken: String?
    /// Bytes that the network has not taken.
    package let queuedBytes: Int
    /// Messages for it alone that wait, and their bytes.
    package let waiting: (messages: Int, bytes: Int)
    /// Messages of the inbox that it was given and has not acknowledged.
    package let unacknowledged: Int
    package let topicCount: Int
    /// Its topics, those first in which it lacks most; a bounded number of them.
    package let topics: [TopicView]
    package let ledger: SessionLedger
    /// How long the ledger has been kept.
    package let watchedFor: Duration
}

// Watching single sessions: their ledgers are kept from the first question on, for as long as somebody
// goes on asking, so that nothing is counted for sessions that nobody looks at.
extension HubServer {
    /// Sessions of one loop that are followed at a time, at most.
    package static let watchedPerLoopMax = 64
    /// How long a ledger is kept after it was asked for.
    package static let watchTime = Duration.seconds(60)
    static let topicsShownMax = 20

    /// Sessions as they are now; their ledgers are kept from here on.
    ///
    /// - Returns: Those that have not ended, in the order of `ids`; without those for which there is no
    ///   room.
    package func watch(_ ids: [SessionID]) async -> [SessionView] {
        var views: [SessionView] = []
        for id in ids where Int(id.loop) < shards.count {
            let shard = shards[Int(id.loop)]
            let view = await withCheckedContinuation { continuation in
                let willRun = shard.loop.execute {
                    continuation.resume(returning: shard.sessions[id].flatMap(shard.view))
                }
                if !willRun { continuation.resume(returning: nil) }
            }
            if let view { views.append(view) }
        }
        return views
    }
}

extension HubServer {
    /// The most messages that wait in a loop's window of a topic, and for a session alone; to be asked while
    /// its loops rest.
    package var waitingMost: (inWindow: Int, alone: Int) {
        var most = (inWindow: 0, alone: 0)
        for shard in shards {
            for part in shard.parts {
                most.inWindow = max(most.inWindow, part?.window.count ?? 0)
            }
            shard.sessions.forEach { most.alone = max(most.alone, $0.outbox?.count ?? 0) }
        }
        return most
    }
}

extension HubShard {
    /// Keeps the session's ledger from now on, and shows it.
    fileprivate func view(_ session: Session) -> SessionView? {
        let known = session.isWatched ? session.extras?.watch : nil
        guard let watch = known ?? beginWatching(session) else { return nil }
        watch.askedAt = loop.now
        var topics = session.subscriptions.map { subscription -> SessionView.TopicView in
            let part = part(at: subscription.slot)
            return .init(name: part.topic.name, behind: part.lacking(Int(subscription.index)))
        }
        let count = topics.count
        topics.sort { ($1.behind, $0.name) < ($0.behind, $1.name) }
        let outbox = session.outbox
        return SessionView(
            id: session.id, user: session.user, device: session.device,
            address: session.remoteAddress,
            spoken: configuration.protocols[Int(session.protocolIndex)].subprotocol,
            queuedBytes: session.queuedBytes,
            waiting: (outbox?.count ?? 0, outbox?.bytes ?? 0),
            unacknowledged: session.inbox?.delivery.count ?? 0,
            topicCount: count, topics: Array(topics.prefix(HubServer.topicsShownMax)),
            ledger: watch.ledger, watchedFor: loop.now - watch.since)
    }

    private func beginWatching(_ session: Session) -> SessionWatch? {
        guard session.connection != nil, watched < HubServer.watchedPerLoopMax else {
            return nil
        }
        let watch = SessionWatch(at: loop.now)
        session.madeExtras.watch = watch
        mark(session, isWatched: true)
        loop.schedule(after: HubServer.watchTime, WatchLapse(shard: self, id: session.id))
        return watch
    }

    /// Forgets the ledger, if one is kept.
    func endWatching(_ session: Session) {
        guard session.isWatched else { return }
        mark(session, isWatched: false)
        session.extras?.watch = nil
    }

    private func mark(_ session: Session, isWatched: Bool) {
        watched += isWatched ? 1 : -1
        session.isWatched = isWatched
        for subscription in session.subscriptions {
            part(at: subscription.slot).subscribers[Int(subscription.index)].isWatched = isWatched
        }
    }
}

/// Ends the watch over a session that nobody asks for any more.
private final class WatchLapse: TimerTarget {
    private let shard: HubShard
    private let id: SessionID

    init(shard: HubShard, id: SessionID) {
        self.shard = shard
        self.id = id
    }

    func timerFired(_ timer: TimerID, on loop: EventLoop) {
        guard let session = shard.sessions[id], session.isWatched,
            let watch = session.extras?.watch
        else { return }
        let left = watch.askedAt + HubServer.watchTime - loop.now
        guard left > .zero else { return shard.endWatching(session) }
        loop.schedule(after: left, self)
    }
}
