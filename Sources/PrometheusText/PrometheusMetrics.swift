public import CoreMetrics
internal import Synchronization

/// What a program counts and measures by swift-metrics, as Prometheus reads it.
///
/// ```swift
/// let metrics = PrometheusMetrics()
/// MetricsSystem.bootstrap(metrics)
/// Counter(label: "http.requests", dimensions: [("method", "GET")]).increment()
/// // GET /metrics:
/// HTTPResponse(status: .ok, headers: [contentType], body: metrics.text())
/// ```
///
/// Counters become counters with the suffix `_total`, gauges and meters gauges, timers histograms in
/// seconds with the suffix `_seconds`, recorders that aggregate histograms. Bytes that a name may not
/// have become `_`: `http.requests` is `http_requests_total`.
///
/// The same label and dimensions are the same series, whoever makes them, as long as one of them is
/// not destroyed. Recording takes a short lock or none. Memory is bounded by
/// ``Configuration/seriesMax``: beyond it new series go nowhere, and are counted in
/// `metrics_dropped_series_total`.
public final class PrometheusMetrics: Sendable {
    /// Settings; every one has a default.
    public struct Configuration: Hashable, Sendable {
        /// Series in all, a histogram counting as one; further ones are dropped. Default 10,000.
        public var seriesMax = 10_000
        /// Bytes of one label's value; what is longer is cut. Default 256.
        public var labelValueBytesMax = 256
        /// Upper bounds of a timer's buckets, in seconds, ascending; at most 64. By default from 0.5 ms
        /// to 10 s.
        public var timerBuckets = [
            0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
        ]
        /// Upper bounds of an aggregating recorder's buckets, ascending; at most 64. By default from 1
        /// to 1,000,000.
        public var recorderBuckets = [
            1.0, 10, 50, 100, 500, 1_000, 5_000, 10_000, 100_000, 1_000_000,
        ]

        public init() {}
    }

    /// The content type of ``text()``, exposition format 0.0.4.
    public static var contentType: StaticString { "text/plain; version=0.0.4; charset=utf-8" }

    private let configuration: Configuration
    private let registry = Mutex(SeriesRegistry())

    /// - Parameter configuration: Bounds.
    /// - Precondition: Buckets ascend, are finite and at most 64.
    public init(configuration: Configuration = .init()) {
        for buckets in [configuration.timerBuckets, configuration.recorderBuckets] {
            precondition(buckets.count <= 64, "\(buckets.count) buckets exceed 64")
            precondition(
                zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 }
                    && buckets.allSatisfy(\.isFinite), "buckets \(buckets) do not ascend")
        }
        precondition(configuration.seriesMax > 0, "\(configuration.seriesMax) series")
        self.configuration = configuration
    }

    /// All series, by name and labels, in the text exposition format 0.0.4.
    ///
    /// Complexity: O(series log series).
    public func text() -> [UInt8] {
        let (families, dropped) = registry.withLock { ($0.families, $0.dropped) }
        var text = TextFormat()
        for name in families.keys.sorted() {
            guard let family = families[name] else { continue }
            text.appendType(of: name, family.kind)
            for labels in family.series.keys.sorted() {
                family.series[labels]?.value.append(name, labels, to: &text)
            }
        }
        if dropped > 0 {
            text.appendType(of: "metrics_dropped_series_total", .counter)
            text.append("metrics_dropped_series_total", "", Double(dropped))
        }
        return text.bytes
    }

    private func series<Value: SeriesValue>(
        _ label: String, suffix: String, _ dimensions: [(String, String)],
        _ make: () -> Value
    ) -> Value {
        let name = TextFormat.name(label, suffix: suffix)
        let labels = TextFormat.labels(
            dimensions, valueBytesMax: configuration.labelValueBytesMax)
        return registry.withLock { registry in
            registry.take(name, labels, seriesMax: configuration.seriesMax, make)
        }
    }

    private func destroy(_ handler: AnyObject) {
        guard let value = handler as? any SeriesValue else { return }
        registry.withLock { $0.giveBack(value) }
    }
}

extension PrometheusMetrics: MetricsFactory {
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, suffix: "_total", dimensions) { CounterSeries() }
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, suffix: "_total", dimensions) { FloatingPointCounterSeries() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, suffix: "", dimensions) { GaugeSeries() }
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, suffix: "", dimensions) { GaugeSeries() } }
        return series(label, suffix: "", dimensions) {
            HistogramSeries(bounds: configuration.recorderBuckets)
        }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, suffix: "_seconds", dimensions) {
            HistogramSeries(bounds: configuration.timerBuckets)
        }
    }

    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }

    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        destroy(handler)
    }

    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }

    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }

    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }
}
