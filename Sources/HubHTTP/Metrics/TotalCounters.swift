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
        let before = reported.withLock { reported -> [UInt64] in
            defer { reported = totals }
            return reported
        }
        for (index, counter) in counters.enumerated() where totals[index] > before[index] {
            counter.increment(by: Int64(totals[index] - before[index]))
        }
    }
}
