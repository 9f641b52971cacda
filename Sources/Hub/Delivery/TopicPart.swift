import WSTransport

/// One loop's part of a topic: its subscribers there, and the messages that some of them lack.
///
/// Loop-owned. Each subscriber knows where the session keeps the subscription, and the subscription
/// where the subscriber is, so that either is removed in O(1).
final class TopicPart {
    struct Subscriber {
        /// Kept alive by the loop's ``SessionTable``, which it leaves only after its subscriptions.
        let session: Unmanaged<Session>
        var cursor: Cursor
        /// The index in ``Session/subscriptions``.
        var position: UInt32
        /// Which of the hub's protocols it speaks.
        let protocolIndex: UInt8
        /// Its session's ledger is kept.
        var isWatched: Bool
    }

    let topic: Topic
    /// The index in ``HubShard/parts``.
    let slot: UInt32
    // Used for every delivery, on the loop's thread only, by accesses that run no code of others.
    @exclusivity(unchecked) var window: CursorWindow<TopicEntry>
    @exclusivity(unchecked) var subscribers: ContiguousArray<Subscriber> = []
    /// Subscribers whose cursor is not live.
    var behind = 0
    /// The topic's position after the last message that the loop has taken of it.
    var taken: TopicPosition
    /// The epoch of the offsets of those who catch up; perhaps later than that of ``taken``.
    private(set) var epoch: Epoch
    /// What the hub's ledger counts of the window.
    var countedBytes = 0
    /// What its topic has not been told yet.
    var metrics = TopicMetrics()

    init(topic: Topic, slot: UInt32, end: UInt64, at position: TopicPosition) {
        self.topic = topic
        taken = position
        epoch = position.epoch
        self.slot = slot
        window = CursorWindow(end: end)
    }

    /// The connection of a subscriber, while its session has one.
    @inline(__always)
    func link(at index: Int) -> Unmanaged<WebSocketConnection>? {
        subscribers[index].session._withUnsafeGuaranteedRef { $0.link }
    }

    /// Adds a subscriber that lacks what comes from `place` on, and returns its index.
    func append(_ session: Session, from cursor: Cursor, position: Int) -> Int {
        // Doubling would waste as much as it holds; a subscription may take 48 bytes in all.
        if subscribers.count == subscribers.capacity, subscribers.count > 16 {
            subscribers.reserveCapacity(subscribers.count + subscribers.count / 4)
        }
        subscribers.append(
            Subscriber(
                session: .passUnretained(session), cursor: .live, position: UInt32(position),
                protocolIndex: session.protocolIndex, isWatched: session.isWatched))
        move(subscribers.count - 1, to: cursor)
        return subscribers.count - 1
    }

    /// Removes the subscriber at `index`; the last one takes its place.
    func remove(at index: Int) {
        move(index, to: .live)
        let last = subscribers.removeLast()
        guard index < subscribers.count else { return }
        subscribers[index] = last
        let session = last.session.takeUnretainedValue()
        session.subscriptions[Int(last.position)].index = UInt32(index)
    }

    /// Notes that the session moved its subscription.
    func moved(at index: Int, to position: Int) {
        subscribers[index].position = UInt32(position)
    }

    /// Up to where a subscriber was given everything; perhaps it has more.
    func position(of index: Int) -> TopicPosition {
        switch subscribers[index].cursor.state {
        case .live: return taken
        case .catchingUp(let offset): return TopicPosition(epoch: epoch, offset: offset)
        case .waiting(let place):
            let slot = window.index(of: place)
            guard slot < window.indices.upperBound else { return taken }
            let lacking = window[slot].message
            var position = lacking.position
            if lacking.isStored { position.offset -= 1 }
            return position
        }
    }

    /// How many messages a subscriber lacks.
    func lacking(_ index: Int) -> UInt64 {
        switch subscribers[index].cursor.state {
        case .live: return 0
        case .waiting(let place):
            let start = min(place, window.end)
            return window.end - start - window.volatiles(from: start, to: window.end)
        case .catchingUp(let offset):
            let end = topic.position.offset
            return end - min(offset, end)
        }
    }

    /// Moves a subscriber's cursor; one that waits for what comes next is live.
    func move(_ index: Int, to cursor: Cursor) {
        var cursor = cursor
        if case .waiting(window.end) = cursor.state { cursor = .live }
        let isBehind = !subscribers[index].cursor.isLive
        subscribers[index].cursor = cursor
        guard isBehind == cursor.isLive else { return }
        behind += cursor.isLive ? -1 : 1
    }

    /// What the topic stores is of that epoch. Where that is a new one its offsets begin anew, and say nothing
    /// of where those who catch up were.
    func enter(_ epoch: Epoch) {
        guard epoch != self.epoch else { return }
        self.epoch = epoch
        for index in subscribers.indices {
            if case .catchingUp = subscribers[index].cursor.state { move(index, to: .lost) }
        }
    }

    /// Lets go of what nobody lacks.
    func tidy() {
        if behind == 0 { window.removeAll() }
    }
}
