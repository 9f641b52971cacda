package import Hub
import Synchronization

/// Says that it is as durable as it is told, answers when it is let, and fails when it is told to.
package final class SlowStore: MessageStore {
    private struct State {
        var isHeld = false
        var holdsDeposits = false
        var fails = false
        var unreadable: String?
        var batches = 0
        var failingBatch: Int?
        var sweeps = 0
        var inboxReads = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let store = MemoryMessageStore()
    private let state = Mutex(State())

    package let durability: StoreDurability
    package var batches: Int { state.withLock { $0.batches } }
    package var sweeps: Int { state.withLock { $0.sweeps } }
    /// How often an inbox was to be read.
    package var inboxReads: Int { state.withLock { $0.inboxReads } }
    package var fails: Bool {
        get { state.withLock { $0.fails } }
        set { state.withLock { $0.fails = newValue } }
    }

    /// Which batch of histories is not taken, counted from 1.
    package var failingBatch: Int? {
        get { state.withLock { $0.failingBatch } }
        set { state.withLock { $0.failingBatch = newValue } }
    }

    /// A topic whose history cannot be read.
    package var unreadable: String? {
        get { state.withLock { $0.unreadable } }
        set { state.withLock { $0.unreadable = newValue } }
    }

    package init(durability: StoreDurability = .durable) {
        self.durability = durability
    }

    /// Holds up all but deposits.
    package func hold() { state.withLock { $0.isHeld = true } }

    package func holdDeposits() { state.withLock { $0.holdsDeposits = true } }

    package func release() {
        let waiting = state.withLock { state in
            state.isHeld = false
            state.holdsDeposits = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func pass() async throws(StoreError) {
        await wait { $0.isHeld }
        if fails { throw StoreError(.unavailable, detail: "told to") }
    }

    private func wait(where isHeld: (State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                let isHeld = isHeld(state)
                if isHeld { state.waiting.append(continuation) }
                return isHeld
            }
            if !isHeld { continuation.resume() }
        }
    }

    package func append(
        _ batch: [HistoryAppend], at now: Timestamp
    ) async throws(StoreError) -> [HistoryAppended] {
        try await pass()
        let isFailing = state.withLock { state in
            state.batches += 1
            return state.batches == state.failingBatch
        }
        if isFailing { throw StoreError(.unavailable, detail: "told to") }
        return try await store.append(batch, at: now)
    }

    package func history(
        of topic: String, after position: TopicPosition?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> HistoryPage? {
        try await pass()
        if topic == unreadable { throw StoreError(.damaged, detail: "told to") }
        return try await store.history(of: topic, after: position, limit: limit, at: now)
    }

    package func removeHistory(of topic: String) async throws(StoreError) {
        try await store.removeHistory(of: topic)
    }

    package func deposit(
        _ batch: [InboxDeposit], at now: Timestamp
    ) async throws(StoreError) -> [InboxDeposited] {
        await wait { $0.holdsDeposits }
        return try await store.deposit(batch, at: now)
    }

    package func unacknowledged(
        of user: String, after id: InboxID?, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage {
        state.withLock { $0.inboxReads += 1 }
        try await pass()
        return try await store.unacknowledged(of: user, after: id, limit: limit, at: now)
    }

    package func acknowledge(_ batch: [InboxReference]) async throws(StoreError) {
        if fails { throw StoreError(.unavailable, detail: "told to") }
        try await store.acknowledge(batch)
    }

    package func countAttempts(_ batch: [InboxReference]) async throws(StoreError) {
        try await store.countAttempts(batch)
    }

    package func quarantine(_ batch: [InboxReference]) async throws(StoreError) {
        try await store.quarantine(batch)
    }

    package func quarantined(
        of user: String, limit: PageLimit, at now: Timestamp
    ) async throws(StoreError) -> InboxPage {
        try await store.quarantined(of: user, limit: limit, at: now)
    }

    package func removeExpired(at now: Timestamp) async throws(StoreError) -> Int {
        try await pass()
        state.withLock { $0.sweeps += 1 }
        return try await store.removeExpired(at: now)
    }

    package func close() async { await store.close() }
}
