public import CoreMetrics
import HubHTTP

/// Hands what ``UpstreamEvents`` count to swift-metrics, at moments of your choice.
///
/// ```swift
/// let report = UpstreamMetricsReport(events, label: "hub.upstream", sink: "rpc", factory: metrics)
/// api.onMetrics { report.report() }
/// ```
///
/// Gauges `waiting`, `waiting.bytes` and `inflight` tell what is now; counters `delivered`, `retries`,
/// `dropped`, `abandoned` and `refused` grow by what was added since the last report. Each is a member
/// of ``UpstreamSnapshot``, and has the dimension `sink`.
public final class UpstreamMetricsReport: Sendable {
    private let events: UpstreamEvents
    private let waiting: Gauge
    private let waitingBytes: Gauge
    private let inFlight: Gauge
    private let counters: TotalCounters

    /// - Parameters:
    ///   - events: What counts.
    ///   - label: What the names of all metrics begin with.
    ///   - sink: Sets these events apart from those that are told to somebody else.
    ///   - factory: Where the metrics are made; `nil`: the one that was bootstrapped.
    public init(
        _ events: UpstreamEvents, label: String, sink: String,
        factory: (any MetricsFactory)? = nil
    ) {
        let factory = factory ?? MetricsSystem.factory
        let dimensions = [("sink", sink)]
        func gauge(_ name: String) -> Gauge {
            Gauge(label: "\(label).\(name)", dimensions: dimensions, factory: factory)
        }
        self.events = events
        waiting = gauge("waiting")
        waitingBytes = gauge("waiting.bytes")
        inFlight = gauge("inflight")
        counters = TotalCounters(
            ["delivered", "retries", "dropped", "abandoned", "refused"].map {
                Counter(label: "\(label).\($0)", dimensions: dimensions, factory: factory)
            })
    }

    /// Reports what happened since the last report, and what is now.
    public func report() {
        let now = events.snapshot
        waiting.record(now.waiting)
        waitingBytes.record(now.waitingBytes)
        inFlight.record(now.inFlight)
        counters.follow([now.delivered, now.retries, now.dropped, now.abandoned, now.refused])
    }
}
