import NetPoll

/// A hub's way to a durable store for histories: in batches, in the one order of each topic.
final class HistoryWriter: Sendable {
    struct Item: Sendable {
        let topic: Topic
        let publication: Publication
    }

    typealias Answer = Result<HistoryAppended, StoreError>

    let store: any MessageStore
    /// What became of each. One whose topic could not be read when that was tried last fails alone; the first
    /// reading of a topic is waited for.
    let batches: BatchWriter<Item, Answer>

    init(
        store: any MessageStore, _ bounds: WaitingBounds, on loop: EventLoop,
        calendar: @escaping @Sendable () -> Timestamp
    ) {
        self.store = store
        batches = BatchWriter(bounds, bytes: { $0.publication.bytes }, on: loop) {
            items throws(StoreError) in
            // What is known of the topics says which offsets the messages get: no other batch is
            // under way.
            var batch = HistoryBatch(items.count)
            for (index, item) in items.enumerated() {
                if let failure = await item.topic.attempted() {
                    batch.fail(index, failure)
                    continue
                }
                if batch.mustBeKnown(before: item) {
                    batch.appended(await Self.append(batch.entries, to: store, at: calendar()))
                }
                batch.add(index, item)
            }
            if !batch.entries.isEmpty {
                batch.appended(await Self.append(batch.entries, to: store, at: calendar()))
            }
            return batch.answers
        }
    }

    private static func append(
        _ entries: [HistoryAppend], to store: any MessageStore, at now: Timestamp
    ) async -> Result<[HistoryAppended], StoreError> {
        do throws(StoreError) {
            return .success(try await store.append(entries, at: now))
        } catch {
            return .failure(error)
        }
    }
}

/// What a batch of publications is for the store, and which offsets they are about to get.
private struct HistoryBatch {
    private struct Known {
        /// The topic's last one.
        var offset: UInt64
        /// Whether it is less if the store knows a publication of ``entries`` already.
        var isAtMost = false
    }

    /// What the store has to be given.
    private(set) var entries: [HistoryAppend] = []
    private(set) var answers: [HistoryWriter.Answer]
    /// The places of ``entries`` in the batch, and their topics.
    private var places: [(index: Int, topic: Topic)] = []
    private var known: [ObjectIdentifier: Known] = [:]
    /// The last offsets that the store has told; their topics learn of them when the batch is done.
    private var told: [ObjectIdentifier: UInt64] = [:]

    init(_ count: Int) {
        let missing = StoreError(.damaged, detail: "the store gave no answer")
        answers = Array(repeating: .failure(missing), count: count)
    }

    mutating func fail(_ index: Int, _ error: StoreError) { answers[index] = .failure(error) }

    /// Whether the store has to have answered before `item` can tell its own offset.
    func mustBeKnown(before item: HistoryWriter.Item) -> Bool {
        item.publication.tellsOffset && known[ObjectIdentifier(item.topic)]?.isAtMost ?? false
    }

    mutating func add(_ index: Int, _ item: HistoryWriter.Item) {
        let id = ObjectIdentifier(item.topic)
        var known = known[id] ?? Known(offset: item.topic.position.offset)
        known.offset += 1
        if item.publication.idempotencyKey != nil { known.isAtMost = true }
        self.known[id] = known
        entries.append(item.topic.entry(for: item.publication, offset: known.offset))
        places.append((index, item.topic))
    }

    /// Takes the store's answers to ``entries``.
    mutating func appended(_ result: Result<[HistoryAppended], StoreError>) {
        for id in places.lazy.map({ ObjectIdentifier($0.topic) }) {
            known[id] = told[id].map { Known(offset: $0) }
        }
        switch result {
        case .success(let appended):
            for (place, outcome) in zip(places, appended) {
                answers[place.index] = .success(outcome)
                let id = ObjectIdentifier(place.topic)
                let last = max(
                    told[id] ?? place.topic.position.offset, outcome.position.offset)
                told[id] = last
                known[id] = Known(offset: last)
            }
        case .failure(let error):
            for place in places { answers[place.index] = .failure(error) }
        }
        entries = []
        places = []
    }
}
