/// One user's inbox in memory.
struct MemoryInbox {
    private struct Entry {
        let message: HubMessage
        let time: Timestamp
        let expiry: Timestamp?
        var attempts = 0
        var isQuarantined = false
    }

    private var entries: [InboxID: Entry] = [:]
    /// Ids of ``entries`` in order, among them some that are gone.
    private var order: [InboxID] = []
    private var bytes = 0
    private var keys = IdempotencyKeys<InboxID>(keysMax: MemoryMessageStore.keysMax)

    /// It holds nothing, and remembers nothing.
    var isEmpty: Bool { entries.isEmpty && keys.count == 0 }

    /// Takes a deposit in, under an id that is higher than all before.
    mutating func deposit(
        _ deposit: InboxDeposit, as id: InboxID, at now: Timestamp
    ) -> InboxDeposited {
        if let key = deposit.idempotencyKey, let known = keys.value(of: key, at: now) {
            return .duplicate(known)
        }
        let count = deposit.message.bytes
        if isFull(count, deposit.limits) { _ = removeExpired(at: now) }
        guard !isFull(count, deposit.limits) else { return .refused }
        entries[id] = Entry(message: deposit.message, time: now, expiry: deposit.expiry)
        order.append(id)
        bytes += count
        if let key = deposit.idempotencyKey {
            keys.remember(key, id, until: now + deposit.idempotencyWindow, at: now)
        }
        return .stored(id)
    }

    func page(
        after id: InboxID?, quarantined: Bool, limit: PageLimit, at now: Timestamp
    ) -> InboxPage {
        var fill = PageFill(limit)
        var messages: [InboxMessage] = []
        let start = id.map { id in order.partitioningIndex { $0 > id } } ?? 0
        for id in order[start...] {
            guard let entry = entries[id], entry.isQuarantined == quarantined,
                entry.expiry.map({ $0 > now }) ?? true
            else { continue }
            guard fill.admits(entry.message.bytes) else {
                return InboxPage(messages: messages, hasMore: true)
            }
            messages.append(
                InboxMessage(
                    id: id, message: entry.message, time: entry.time, expiry: entry.expiry,
                    attempts: entry.attempts))
        }
        return InboxPage(messages: messages, hasMore: false)
    }

    mutating func countAttempt(_ id: InboxID) { entries[id]?.attempts += 1 }

    mutating func quarantine(_ id: InboxID) { entries[id]?.isQuarantined = true }

    mutating func remove(_ id: InboxID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        bytes -= entry.message.bytes
        if entries.count < order.count / 2 { order.removeAll { entries[$0] == nil } }
    }

    /// Removes what has expired, and returns how many messages that were.
    mutating func removeExpired(at now: Timestamp) -> Int {
        keys.removeExpired(at: now)
        let expired = entries.filter { $0.value.expiry.map { $0 <= now } ?? false }.keys
        for id in expired { remove(id) }
        return expired.count
    }

    private func isFull(_ count: Int, _ limits: InboxLimits) -> Bool {
        entries.count >= limits.messagesMax || bytes + count > limits.bytesMax
    }
}

extension Array {
    /// The index of the first element for which `isBehind` holds, of an array in which it holds for
    /// all after the first.
    ///
    /// Complexity: O(log n).
    func partitioningIndex(_ isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = low + (high - low) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
