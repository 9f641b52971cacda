public import CoreMetrics
public import RPC
internal import Synchronization

/// Hands what one client counts and measures to swift-metrics, at moments of your choice.
///
/// ```swift
/// let metrics = RPCClientMetrics(label: "rpc.client")
/// metrics.report(client)
/// ```
///
/// Calls cost nothing more for it. Each method has the dimensions `service` and `method`; counters
/// grow by what was added since the last report, and durations, which are those that callers waited,
/// are reported as quantiles of the time between.
public final class RPCClientMetrics: Sendable {
    private struct Reported {
        var retries = 0
        var hedges = 0
        var refused = 0
    }

    private let methods: MethodReporter
    private let retries: Counter
    private let hedges: Counter
    private let refused: Counter
    private let inFlight: Gauge
    private let waiting: Gauge
    private let reported = Mutex(Reported())

    /// - Parameters:
    ///   - label: What the names of all metrics begin with. Of each method: `label.started`,
    ///     `label.ended`, `label.failed`, `label.running`, `label.duration.seconds`; of all calls:
    ///     `label.in_flight`, `label.waiting`, `label.refused`, `label.retries`, `label.hedges`.
    ///   - dimensions: Given to each metric beside its method's.
    ///   - factory: Where the metrics are made; `nil`: the one that was bootstrapped.
    public init(
        label: String, dimensions: [(String, String)] = [], factory: (any MetricsFactory)? = nil
    ) {
        let factory = factory ?? MetricsSystem.factory
        func counter(_ what: String) -> Counter {
            Counter(label: "\(label).\(what)", dimensions: dimensions, factory: factory)
        }
        func gauge(_ what: String) -> Gauge {
            Gauge(label: "\(label).\(what)", dimensions: dimensions, factory: factory)
        }
        methods = MethodReporter(label, dimensions, factory)
        retries = counter("retries")
        hedges = counter("hedges")
        refused = counter("refused")
        inFlight = gauge("in_flight")
        waiting = gauge("waiting")
    }

    /// Reports what happened since the last report, and what is now; always of the same client.
    public func report(_ client: RPCClient) {
        methods.report(client.statistics)
        let now = client.snapshot
        reported.withLock { before in
            retries.grow(by: now.retries - before.retries)
            hedges.grow(by: now.hedges - before.hedges)
            refused.grow(by: now.refused - before.refused)
            before = Reported(retries: now.retries, hedges: now.hedges, refused: now.refused)
        }
        inFlight.record(now.inFlight)
        waiting.record(now.waiting)
    }
}
