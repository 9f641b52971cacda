import Synchronization

/// Keeps histories and inboxes in memory; what ends with the process is lost.
///
/// The default of a hub. It answers at once, and bounds what it holds by the limits of each entry and
/// by what has expired; users whose inboxes hold nothing are forgotten by ``removeExpired(at:)``. Of
/// each topic and each inbox it remembers the last 10,000 idempotency keys, as long as they are to be
/// remembered.
public final class MemoryMessageStore: MessageStore {
    /// Idempotency keys that are remembered of each topic and each inbox.
    static let keysMax = 10_000
    /// Topics, or inboxes, that a sweep looks at under one lock.
    private static let sweptAtOnce = 64
    /// Ids of messages that there are for a millisecond of the calendar.
    private static let idsPerMillisecond: UInt64 = 1_024

    private struct State {
        var topics: [ExactName: MemoryHistory] = [:]
        var inboxes: [ExactName: MemoryInbox] = [:]
        var isClosed = false
        var lastID: UInt64 = 0

        /// An id that no inbox has had, nor one of an earlier process unless the calendar was set back:
        /// clients outlive a hub, and take what comes under an id they know for the same message.
        mutating func makeID(at now: Timestamp) -> InboxID {
            let first = UInt64(max(0, now.milliseconds)) &* MemoryMessageStore.idsPerMillisecond
            lastID = max(lastID + 1, first)
            return InboxID(rawValue: lastID)
        }
    }

    private let state = Mutex(State())

    /// Users of whom something is kept.
    var inboxCount: Int { state.withLock { $0.inboxes.count } }

    /// ``StoreDurability/process``.
    public var durability: StoreDurability { .process }

    /// Creates an empty store.
    public init() {}

    public func append(
        _ batch: [HistoryAppend], at now: Timestamp
    ) async throws(StoreError) -> [HistoryAppended] {
        try withState { state in
            batch.map { entry in
                state.topics[
                    ExactName(entry.topic), default: MemoryHistory(epoch: entry.epochIfNew)
                ].append(entry, at: now)
            }
        }
    }

    public func history(
        of topic: String, after position: TopicPosition?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> HistoryPage? {
        try withState { $0.topics[ExactName(topic)]?.page(after: position, limit: limit, at: now) }
    }

    public func removeHistory(of topic: String) async throws(StoreError) {
        try withState { $0.topics[ExactName(topic)] = nil }
    }

    public func deposit(
        _ batch: [InboxDeposit], at now: Timestamp
    ) async throws(StoreError) -> [InboxDeposited] {
        try withState { state in
            batch.map { entry in
                let id = state.makeID(at: now)
                return state.inboxes[ExactName(entry.user), default: MemoryInbox()]
                    .deposit(entry, as: id, at: now)
            }
        }
    }

    public func unacknowledged(
        of user: String, after id: InboxID?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage {
        try withState { state in
            state.inboxes[ExactName(user)]?
                .page(after: id, quarantined: false, limit: limit, at: now)
                ?? InboxPage(messages: [], hasMore: false)
        }
    }

    public func acknowledge(_ batch: [InboxReference]) async throws(StoreError) {
        try update(batch) { $0.remove($1) }
    }

    public func countAttempts(_ batch: [InboxReference]) async throws(StoreError) {
        try update(batch) { $0.countAttempt($1) }
    }

    public func quarantine(_ batch: [InboxReference]) async throws(StoreError) {
        try update(batch) { $0.quarantine($1) }
    }

    public func quarantined(
        of user: String, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage {
        try withState { state in
            state.inboxes[ExactName(user)]?
                .page(after: nil, quarantined: true, limit: limit, at: now)
                ?? InboxPage(messages: [], hasMore: false)
        }
    }

    @discardableResult
    public func removeExpired(at now: Timestamp) async throws(StoreError) -> Int {
        let (topics, inboxes) = try withState { (Array($0.topics.keys), Array($0.inboxes.keys)) }
        var removed = try await sweep(topics) { state, name in
            state.topics[name]?.removeExpired(at: now) ?? 0
        }
        removed += try await sweep(inboxes) { state, name in
            defer { if state.inboxes[name]?.isEmpty ?? false { state.inboxes[name] = nil } }
            return state.inboxes[name]?.removeExpired(at: now) ?? 0
        }
        return removed
    }

    /// Lets `body` remove what has expired under each name, some names at a time: the lock is not held for
    /// all of it, and the executor's other tasks may go between.
    private func sweep(
        _ names: [ExactName], _ body: (inout State, ExactName) -> Int
    ) async throws(StoreError) -> Int {
        var removed = 0
        for start in stride(from: 0, to: names.count, by: Self.sweptAtOnce) {
            let part = names[start..<min(start + Self.sweptAtOnce, names.count)]
            removed += try withState { state in part.reduce(0) { $0 + body(&state, $1) } }
            await Task.yield()
        }
        return removed
    }

    public func close() async {
        state.withLock { $0 = State(isClosed: true) }
    }

    private func update(
        _ batch: [InboxReference], _ body: (inout MemoryInbox, InboxID) -> Void
    ) throws(StoreError) {
        try withState { state in
            for reference in batch {
                guard let index = state.inboxes.index(forKey: ExactName(reference.user)) else {
                    continue
                }
                body(&state.inboxes.values[index], reference.id)
            }
        }
    }

    private func withState<R: Sendable>(
        _ body: (inout State) -> R
    ) throws(StoreError) -> R {
        try state.withLock { (state) throws(StoreError) -> R in
            guard !state.isClosed else { throw StoreError(.closed) }
            return body(&state)
        }
    }
}
