internal import ConnPool
internal import CoreMetrics
internal import RPC
internal import Synchronization

/// Reports what became of the calls of each method: counters grow by what was added since the last
/// report, and durations are quantiles of the time between.
final class MethodReporter: Sendable {
    private struct MethodMetrics: Sendable {
        let started: Counter
        let ended: Counter
        let failed: Counter
        let running: Gauge
        let quantiles: [(quantile: Double, gauge: Gauge)]
    }

    private struct Name: Hashable {
        let service: String
        let method: String
    }

    private struct State {
        var metrics: [Name: MethodMetrics] = [:]
        var reported: [Name: RPCMethodStatistics] = [:]
    }

    private let label: String
    private let dimensions: [(String, String)]
    private let factory: any MetricsFactory
    private let state = Mutex(State())

    init(_ label: String, _ dimensions: [(String, String)], _ factory: any MetricsFactory) {
        self.label = label
        self.dimensions = dimensions
        self.factory = factory
    }

    func report(_ statistics: [RPCMethodStatistics]) {
        state.withLock { state in
            for method in statistics {
                let name = Name(service: method.service, method: method.name)
                let metrics = state.metrics[name] ?? makeMetrics(name)
                state.metrics[name] = metrics
                report(method, since: state.reported[name], to: metrics)
                state.reported[name] = method
            }
        }
    }

    private func report(
        _ now: RPCMethodStatistics, since before: RPCMethodStatistics?, to metrics: MethodMetrics
    ) {
        metrics.started.grow(by: now.started - (before?.started ?? 0))
        metrics.ended.grow(by: now.ended - (before?.ended ?? 0))
        metrics.failed.grow(by: now.failed - (before?.failed ?? 0))
        metrics.running.record(now.running)
        let recent = before.map { now.durations.since($0.durations) } ?? now.durations
        for (quantile, gauge) in metrics.quantiles {
            // Nothing to say of a time in which nothing ended.
            guard let duration = recent.quantile(quantile) else { continue }
            gauge.record(duration / .seconds(1))
        }
    }

    private func makeMetrics(_ name: Name) -> MethodMetrics {
        let dimensions =
            dimensions + [("service", name.service), ("method", name.method)]
        func counter(_ what: String) -> Counter {
            Counter(label: "\(label).\(what)", dimensions: dimensions, factory: factory)
        }
        return MethodMetrics(
            started: counter("started"), ended: counter("ended"), failed: counter("failed"),
            running: Gauge(label: "\(label).running", dimensions: dimensions, factory: factory),
            quantiles: [0.5, 0.99, 1.0].map { quantile in
                let gauge = Gauge(
                    label: "\(label).duration.seconds",
                    dimensions: dimensions + [("quantile", "\(quantile)")], factory: factory)
                return (quantile, gauge)
            })
    }
}

extension Counter {
    func grow(by growth: Int) {
        if growth > 0 { increment(by: growth) }
    }
}
