import NetPoll

/// A hub's way to a durable store for histories: in batches, in the one order of each topic.
final class HistoryWriter: Sendable {
    struct Item: Sendable {
        let topic: Topic
        let publication: Publication
    }

    let store: any MessageStore
    /// What became of each. One whose topic could not be read when that was tried last fails alone; the first
    /// reading of a topic is waited for.
    let batches: BatchWriter<Item, Result<HistoryAppended, StoreError>>

    init(
        store: any MessageStore, waitingMax: Int, on loop: EventLoop,
        calendar: @escaping @Sendable () -> Timestamp
    ) {
        self.store = store
        batches = BatchWriter(waitingMax: waitingMax, on: loop) { items throws(StoreError) in
            // What is known of the topics says which offsets the messages get: no other batch is
            // under way.
            var offsets: [ObjectIdentifier: UInt64] = [:]
            var entries: [HistoryAppend] = []
            var failures: [Int: StoreError] = [:]
            for (index, item) in items.enumerated() {
                if let failure = await item.topic.attempted() {
                    failures[index] = failure
                    continue
                }
                let id = ObjectIdentifier(item.topic)
                let offset = (offsets[id] ?? item.topic.position.offset) + 1
                offsets[id] = offset
                entries.append(item.topic.entry(for: item.publication, offset: offset))
            }
            var appended: ArraySlice<HistoryAppended> = []
            if !entries.isEmpty { appended = try await store.append(entries, at: calendar())[...] }
            return items.indices.map { index -> Result<HistoryAppended, StoreError> in
                if let failure = failures[index] { return .failure(failure) }
                return appended.popFirst().map { .success($0) }
                    ?? .failure(StoreError(.damaged, detail: "the store gave no answer"))
            }
        }
    }
}
