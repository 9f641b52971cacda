/// Which keys were used lately, and what for: at most so many, beyond which the oldest are forgotten
/// before their time.
///
/// Complexity: O(1) amortised; every key is looked at once when it was given and once when it has
/// expired, in the order they were given.
struct IdempotencyKeys<Value> {
    private struct Entry {
        let value: Value
        let until: Timestamp
    }

    /// What a key is counted as beside its own bytes: its places in memory, and what it stands for.
    static var entryBytes: Int { 128 }

    private let keysMax: Int
    private var entries: [ExactName: Entry] = [:]
    private var order = Ring<ExactName>()
    /// What the keys are counted as.
    private(set) var bytes = 0

    init(keysMax: Int) {
        self.keysMax = keysMax
    }

    var count: Int { entries.count }

    /// What the key was used for; `nil` where it is unknown or its time has passed.
    func value(of key: String, at now: Timestamp) -> Value? {
        guard let entry = entries[ExactName(key)], entry.until > now else { return nil }
        return entry.value
    }

    mutating func remember(_ key: String, _ value: Value, until: Timestamp, at now: Timestamp) {
        removeExpired(at: now)
        let name = ExactName(key)
        if entries.updateValue(Entry(value: value, until: until), forKey: name) == nil {
            order.append(name)
            bytes += Self.bytes(of: name)
        }
        shrink(to: keysMax)
    }

    /// Forgets the oldest keys, until no more than so many are left.
    mutating func shrink(to count: Int) {
        while entries.count > count { removeFirst() }
    }

    /// Forgets keys in the order they were given, up to the first whose time has not passed.
    mutating func removeExpired(at now: Timestamp) {
        while order.count > 0, let entry = entries[order[0]], entry.until <= now { removeFirst() }
    }

    private mutating func removeFirst() {
        guard let name = order.popFirst() else { return }
        entries[name] = nil
        bytes -= Self.bytes(of: name)
    }

    private static func bytes(of name: ExactName) -> Int { name.string.utf8.count + entryBytes }
}
