public import ConnPool
public import CoreMetrics
internal import Synchronization

/// Hands what a pool counts and measures to swift-metrics, at moments of your choice.
///
/// ```swift
/// let metrics = PoolMetrics(label: "db.pool")
/// metrics.report(pool.snapshot, pool.counters, pool.durations)
/// ```
///
/// Leases cost nothing more for it: counters grow by what was added since the last report, and
/// durations are reported as quantiles of the time between.
public final class PoolMetrics: Sendable {
    private struct Reported {
        let counters: PoolCounters
        let durations: PoolDurations
    }

    private struct Count: Sendable {
        let counter: Counter
        let value: @Sendable (PoolCounters) -> Int
    }

    private struct Level: Sendable {
        let gauge: Gauge
        let value: @Sendable (PoolSnapshot) -> Int
    }

    private struct Times: Sendable {
        let quantiles: [(quantile: Double, gauge: Gauge)]
        let value: @Sendable (PoolDurations) -> DurationHistogram
    }

    private let counts: [Count]
    private let levels: [Level]
    private let times: [Times]
    private let reported = Mutex<Reported?>(nil)

    /// - Parameters:
    ///   - label: What the names of all metrics begin with: `label.leased`, `label.idle`,
    ///     `label.wait.seconds` …
    ///   - dimensions: Given to each metric, for example the endpoint.
    ///   - factory: Where the metrics are made; `nil`: the one that was bootstrapped.
    public init(
        label: String, dimensions: [(String, String)] = [], factory: (any MetricsFactory)? = nil
    ) {
        let factory = factory ?? MetricsSystem.factory
        func count(
            _ name: String, _ value: @escaping @Sendable (PoolCounters) -> Int
        ) -> Count {
            let counter = Counter(
                label: "\(label).\(name)", dimensions: dimensions, factory: factory)
            return Count(counter: counter, value: value)
        }
        func level(_ name: String, _ value: @escaping @Sendable (PoolSnapshot) -> Int) -> Level {
            let gauge = Gauge(label: "\(label).\(name)", dimensions: dimensions, factory: factory)
            return Level(gauge: gauge, value: value)
        }
        func times(
            _ name: String, _ value: @escaping @Sendable (PoolDurations) -> DurationHistogram
        ) -> Times {
            let quantiles = [0.5, 0.99, 1.0].map { quantile in
                let gauge = Gauge(
                    label: "\(label).\(name).seconds",
                    dimensions: dimensions + [("quantile", "\(quantile)")], factory: factory)
                return (quantile, gauge)
            }
            return Times(quantiles: quantiles, value: value)
        }
        counts = [
            count("leased") { $0.leased }, count("returned") { $0.returned },
            count("timed_out") { $0.timedOut }, count("cancelled") { $0.cancelled },
            count("queue_full") { $0.queueFull }, count("failed_fast") { $0.failedFast },
            count("dials") { $0.dials }, count("dials_failed") { $0.dialsFailed },
            count("dials_elided") { $0.dialsElided }, count("probes") { $0.probes },
            count("closed") { $0.closed }, count("stale_replaced") { $0.staleReplaced },
        ]
        levels = [
            level("connections") { $0.connections }, level("idle") { $0.idle },
            level("leases") { $0.leases }, level("dialling") { $0.dialling },
            level("waiters") { $0.waiters },
        ]
        self.times = [
            times("wait") { $0.waits }, times("hold") { $0.holds }, times("dial") { $0.dials },
        ]
    }

    /// Reports what happened since the last report, and what is now.
    public func report(
        _ snapshot: PoolSnapshot, _ counters: PoolCounters, _ durations: PoolDurations
    ) {
        let before = reported.withLock { reported in
            defer { reported = Reported(counters: counters, durations: durations) }
            return reported
        }
        for count in counts {
            let growth = count.value(counters) - (before.map { count.value($0.counters) } ?? 0)
            if growth > 0 { count.counter.increment(by: growth) }
        }
        for level in levels { level.gauge.record(level.value(snapshot)) }
        for times in times {
            let now = times.value(durations)
            let recent = before.map { now.since(times.value($0.durations)) } ?? now
            for (quantile, gauge) in times.quantiles {
                // Nothing to say of a time in which nothing happened.
                guard let duration = recent.quantile(quantile) else { continue }
                gauge.record(duration / .seconds(1))
            }
        }
    }
}
