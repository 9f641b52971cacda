/// Which keys were used lately, and what for.
///
/// Complexity: O(1) amortised; every key is looked at once when it was given and once when it has
/// expired, in the order they were given.
struct IdempotencyKeys<Value> {
    private struct Entry {
        let value: Value
        let until: Timestamp
    }

    private var entries: [ExactName: Entry] = [:]
    private var order = Ring<ExactName>()

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
        }
    }

    /// Forgets keys in the order they were given, up to the first whose time has not passed.
    mutating func removeExpired(at now: Timestamp) {
        while order.count > 0, let entry = entries[order[0]], entry.until <= now {
            if let name = order.popFirst() { entries[name] = nil }
        }
    }
}
