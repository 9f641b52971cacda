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
    private let entries = Mutex<[ExactName: Entry]>([:])

    init(topicsMax: Int, make: @escaping @Sendable (String) -> Topic) {
        self.topicsMax = topicsMax
        self.make = make
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
            return names.compactMap { entries.removeValue(forKey: $0) }
        }
        _ = forgotten
    }
}
