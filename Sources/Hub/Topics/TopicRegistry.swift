import Synchronization

/// The topics there are, by the bytes of their names.
///
/// A topic is forgotten after several sweeps in which nobody but the registry held it: a new holder
/// can only come through the registry's lock, so that none is ever forgotten under somebody's hand.
final class TopicRegistry: Sendable {
    /// Sweeps that find a topic unused before it is forgotten.
    static let sweepsUntilForgotten = 4

    private struct Entry {
        var topic: Topic
        var sweepsUnused = 0
    }

    private let topicsMax: Int
    private let make: @Sendable (String) -> Topic
    private let forgot: @Sendable (Topic) -> Void
    private let entries = Mutex<[ExactName: Entry]>([:])
    /// What topics did that are forgotten; its lock is taken alone.
    private let past = Mutex(TopicMetrics())

    /// Creates a registry; `make` and `forgot` are called under its lock, and do not wait.
    init(
        topicsMax: Int, make: @escaping @Sendable (String) -> Topic,
        forgot: @escaping @Sendable (Topic) -> Void = { _ in }
    ) {
        self.topicsMax = topicsMax
        self.make = make
        self.forgot = forgot
    }

    /// The topic of that name, made where there is none; `nil` where there are too many.
    func topic(named name: String) -> Topic? {
        let name = ExactName(name)
        return entries.withLock { entries in
            if let topic = entries[name]?.topic {
                entries[name]?.sweepsUnused = 0
                return topic
            }
            guard entries.count < topicsMax else { return nil }
            let topic = make(name.string)
            entries[name] = Entry(topic: topic)
            return topic
        }
    }

    /// The topic of that name, if there is one.
    func existingTopic(named name: String) -> Topic? {
        let name = ExactName(name)
        return entries.withLock { $0[name]?.topic }
    }

    var topics: [Topic] {
        entries.withLock { entries in entries.values.map(\.topic) }
    }

    /// Forgets what has been unused for long enough.
    func sweep() {
        // Topics are released outside the lock: their memory may be large.
        let forgotten = entries.withLock { entries -> [Entry] in
            var names: [ExactName] = []
            var index = entries.values.startIndex
            while index != entries.values.endIndex {
                if isKnownUniquelyReferenced(&entries.values[index].topic) {
                    entries.values[index].sweepsUnused += 1
                    if entries.values[index].sweepsUnused >= Self.sweepsUntilForgotten {
                        names.append(entries.keys[index])
                    }
                } else {
                    entries.values[index].sweepsUnused = 0
                }
                entries.values.formIndex(after: &index)
            }
            let gone = names.compactMap { entries.removeValue(forKey: $0) }
            for entry in gone { forgot(entry.topic) }
            return gone
        }
        past.withLock { past in
            for entry in forgotten { past += entry.topic.metrics }
        }
    }

    /// What topics did that are forgotten.
    var pastMessages: TopicMetrics { past.withLock { $0 } }

    /// How many topics there are, and what all did, those among them that are forgotten.
    var totals: (topics: Int, messages: TopicMetrics) {
        let topics = topics
        var sum = pastMessages
        for topic in topics { sum += topic.metrics }
        return (topics.count, sum)
    }
}
