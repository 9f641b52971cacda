public import CoreMetrics
public import RPC

/// Hands what a server counts and measures to swift-metrics, at moments of your choice.
///
/// ```swift
/// let metrics = RPCServerMetrics(label: "rpc.server")
/// metrics.report(await server.statistics())
/// ```
///
/// Calls cost nothing more for it. Each method has the dimensions `service` and `method`; counters
/// grow by what was added since the last report, and durations are reported as quantiles of the
/// time between.
public final class RPCServerMetrics: Sendable {
    private let methods: MethodReporter

    /// - Parameters:
    ///   - label: What the names of all metrics begin with: `label.started`, `label.ended`,
    ///     `label.failed`, `label.running`, `label.duration.seconds`.
    ///   - dimensions: Given to each metric beside its method's.
    ///   - factory: Where the metrics are made; `nil`: the one that was bootstrapped.
    public init(
        label: String, dimensions: [(String, String)] = [], factory: (any MetricsFactory)? = nil
    ) {
        methods = MethodReporter(label, dimensions, factory ?? MetricsSystem.factory)
    }

    /// Reports what happened since the last report, and what is now.
    public func report(_ statistics: [RPCMethodStatistics]) { methods.report(statistics) }
}
