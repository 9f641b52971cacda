import NetPoll

/// A hub's way to a durable store for histories: in batches, in the one order of each topic.
final class HistoryWriter: Sendable {
    struct Item: Sendable {
        let topic: Topic
        let publication: Publication
    }

    let store: any MessageStore
    let batches: BatchWriter<Item, HistoryAppended>

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
            for item in items {
                await item.topic.loaded()
                let id = ObjectIdentifier(item.topic)
                let offset = (offsets[id] ?? item.topic.position.offset) + 1
                offsets[id] = offset
                entries.append(item.topic.entry(for: item.publication, offset: offset))
            }
            return try await store.append(entries, at: calendar())
        }
    }
}
