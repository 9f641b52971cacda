internal import NetPoll

/// Remembers where leases were taken, and tells which are out for too long; only where asked for.
///
/// The leases stand in the order they were taken, so the next to be overdue is the first.
struct LeakTracker: Sendable {
    /// Names a record; 0 names none.
    typealias Key = UInt64

    private struct Record {
        let connection: PooledConnectionID
        let since: Instant
        let site: AcquisitionSite
    }

    private let threshold: Int64
    private var records: [Key: Record] = [:]
    private var order: [Key] = []
    private var first = 0
    private var next: Key = 0

    init(threshold: Duration) {
        self.threshold = threshold.inNanoseconds
    }

    /// When ``nextOverdue(_:)`` may have one.
    var nextCheck: Instant? {
        guard first < order.count else { return nil }
        return records[order[first]].map { $0.since.after(threshold) }
            ?? Instant(nanoseconds: .min)
    }

    mutating func taken(
        _ connection: PooledConnectionID, at site: AcquisitionSite, now: Instant
    ) -> Key {
        // Those that were returned while an older one is out.
        if order.count > 64, order.count > 4 * records.count {
            order = order[first...].filter { records[$0] != nil }
            first = 0
        }
        next += 1
        records[next] = Record(connection: connection, since: now, site: site)
        order.append(next)
        return next
    }

    mutating func returned(_ key: Key) {
        records[key] = nil
        while first < order.count, records[order[first]] == nil { first += 1 }
        guard first > 64, first > order.count / 2 else { return }
        order.removeFirst(first)
        first = 0
    }

    /// The next lease that is out for too long and was not told of.
    mutating func nextOverdue(_ now: Instant) -> OverdueLease? {
        while first < order.count {
            guard let record = records[order[first]] else {
                first += 1
                continue
            }
            guard record.since.after(threshold) <= now else { return nil }
            first += 1
            return OverdueLease(
                connection: record.connection, heldFor: now - record.since, site: record.site)
        }
        return nil
    }
}
