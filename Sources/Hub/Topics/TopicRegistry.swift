import Synchronization

/// The topics there are, by the bytes of their names.
///
/// A topic is forgotten after several sweeps in which nobody but the registry held it, and it remembered no
/// idempotency key: a new holder can only come through the registry's lock, so that none is ever forgotten
/// under somebody's hand.
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

    /// The names of all topics, to be swept in parts.
    var names: [ExactName] { entries.withLock { Array($0.keys) } }

    /// Forgets what has been unused for long enough; what stays gives way where memory is short.
    func sweep(_ names: ArraySlice<ExactName>) {
        giveWay(names)
        // Topics are released outside the lock: their memory may be large.
        let forgotten = entries.withLock { entries in
            var gone: [Entry] = []
            for name in names {
                guard let index = entries.index(forKey: name) else { continue }
                guard isKnownUniquelyReferenced(&entries.values[index].topic),
                    !entries.values[index].topic.remembersKeys.load(ordering: .relaxed)
                else {
                    entries.values[index].sweepsUnused = 0
                    continue
                }
                entries.values[index].sweepsUnused += 1
                if entries.values[index].sweepsUnused >= Self.sweepsUntilForgotten {
                    gone.append(entries.remove(at: index).value)
                }
            }
            for entry in gone { forgot(entry.topic) }
            return gone
        }
        past.withLock { past in
            for entry in forgotten { past += entry.topic.metrics }
        }
    }

    /// Holds the topics only for as long as it takes, which are not unused meanwhile.
    private func giveWay(_ names: ArraySlice<ExactName>) {
        let topics = entries.withLock { entries in names.compactMap { entries[$0]?.topic } }
        for topic in topics { topic.giveWay() }
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
