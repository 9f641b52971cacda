package import CoreMetrics
import Synchronization

/// Counters that follow totals which are counted elsewhere.
package final class TotalCounters: Sendable {
    private let counters: [Counter]
    /// The totals that were followed last.
    private let reported: Mutex<[UInt64]>

    package init(_ counters: [Counter]) {
        self.counters = counters
        reported = Mutex(Array(repeating: 0, count: counters.count))
    }

    /// Lets each counter grow by what its total has grown since the last time.
    ///
    /// - Parameter totals: One for each counter, in their order.
    package func follow(_ totals: [UInt64]) {
        precondition(totals.count == counters.count, "\(totals.count) totals")
        // Of two that report at once the one with the older totals may come last.
        let grown = reported.withLock { reported -> [UInt64] in
            let before = reported
            for (index, total) in totals.enumerated() {
                reported[index] = max(total, before[index])
            }
            return zip(reported, before).map { $0 - $1 }
        }
        for (counter, count) in zip(counters, grown) where count > 0 {
            counter.increment(by: Int64(count))
        }
    }
}
