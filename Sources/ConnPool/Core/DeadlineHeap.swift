internal import NetPoll

/// Deadlines of things that are named by slot and generation; the earliest is at hand.
///
/// Nothing is ever taken out before it is due: what became void meanwhile is recognised by who
/// looks, and swept out where it is most of what is there. So to cancel costs nothing. Adding is
/// O(log n), and O(1) where deadlines are added in their order, as equal timeouts are.
struct DeadlineHeap: Sendable {
    struct Entry: Sendable {
        let moment: Int64
        let slot: Int32
        let generation: UInt32
    }

    private var entries: [Entry] = []

    var count: Int { entries.count }

    /// The earliest deadline, perhaps of something void.
    var first: Entry? { entries.first }

    mutating func push(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry.moment < entries[parent].moment else { break }
            entries[child] = entries[parent]
            child = parent
        }
        entries[child] = entry
    }

    mutating func removeFirst() {
        let last = entries.removeLast()
        guard !entries.isEmpty else { return }
        sink(last, from: 0)
    }

    /// Drops what `isVoid` says so of, in O(n). The memory stays.
    mutating func sweep(_ isVoid: (Entry) -> Bool) {
        entries.removeAll(where: isVoid)
        for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) {
            sink(entries[index], from: index)
        }
    }

    private mutating func sink(_ entry: Entry, from start: Int) {
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, entries[child + 1].moment < entries[child].moment {
                child += 1
            }
            guard entries[child].moment < entry.moment else { break }
            entries[parent] = entries[child]
            parent = child
        }
        entries[parent] = entry
    }
}
