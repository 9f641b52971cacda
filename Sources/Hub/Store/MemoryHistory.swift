/// One topic's history in memory.
struct MemoryHistory {
    private let epoch: Epoch
    private var offset: UInt64 = 0
    private var messages = Ring<StoredMessage>()
    private var bytes = 0
    private var age: Duration?
    private var keys = IdempotencyKeys<UInt64>(keysMax: MemoryMessageStore.keysMax)

    init(epoch: Epoch) {
        self.epoch = epoch
    }

    mutating func append(_ entry: HistoryAppend, at now: Timestamp) -> HistoryAppended {
        if let key = entry.idempotencyKey, let known = keys.value(of: key, at: now) {
            return .duplicate(TopicPosition(epoch: epoch, offset: known))
        }
        offset += 1
        if let key = entry.idempotencyKey {
            keys.remember(key, offset, until: now + entry.idempotencyWindow, at: now)
        }
        age = entry.limits.age
        if entry.limits.messagesMax > 0 {
            bytes += entry.message.bytes
            messages.append(StoredMessage(offset: offset, time: now, message: entry.message))
        }
        while messages.count > entry.limits.messagesMax
            || (bytes > entry.limits.bytesMax && messages.count > 1)
        {
            dropFirst()
        }
        _ = removeOld(at: now)
        return .appended(TopicPosition(epoch: epoch, offset: offset))
    }

    func page(after position: TopicPosition?, limit: PageLimit, at now: Timestamp) -> HistoryPage {
        var first = 0
        while first < messages.count, isOld(messages[first], at: now) { first += 1 }
        let oldest = offset - UInt64(messages.count - first) + 1
        var isRecovered = false
        var start = first
        if let position, position.epoch == epoch, position.offset <= offset,
            position.offset + 1 >= oldest
        {
            isRecovered = true
            start += Int(position.offset + 1 - oldest)
        } else {
            // The newest that fit.
            var fitting = PageFill(limit)
            start = messages.count
            while start > first, fitting.admits(messages[start - 1].message.bytes) { start -= 1 }
        }
        var fill = PageFill(limit)
        var page: [StoredMessage] = []
        while start < messages.count, fill.admits(messages[start].message.bytes) {
            page.append(messages[start])
            start += 1
        }
        return HistoryPage(
            end: TopicPosition(epoch: epoch, offset: offset), isRecovered: isRecovered,
            messages: page, hasMore: start < messages.count)
    }

    /// Removes what has expired, and returns how many messages that were.
    mutating func removeExpired(at now: Timestamp) -> Int {
        keys.removeExpired(at: now)
        return removeOld(at: now)
    }

    private mutating func removeOld(at now: Timestamp) -> Int {
        var removed = 0
        while messages.count > 0, isOld(messages[0], at: now) {
            dropFirst()
            removed += 1
        }
        return removed
    }

    private func isOld(_ message: StoredMessage, at now: Timestamp) -> Bool {
        guard let age else { return false }
        return message.time + age <= now
    }

    private mutating func dropFirst() {
        bytes -= messages.popFirst()?.message.bytes ?? 0
    }
}
