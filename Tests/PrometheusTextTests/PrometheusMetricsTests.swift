import CoreMetrics
import PrometheusText
import Testing

@Suite("PrometheusMetrics, text format 0.0.4")
struct PrometheusMetricsTests {
    private func text(_ metrics: PrometheusMetrics) -> String {
        String(decoding: metrics.text(), as: UTF8.self)
    }

    private func small(_ seriesMax: Int = 10) -> PrometheusMetrics {
        var configuration = PrometheusMetrics.Configuration()
        configuration.seriesMax = seriesMax
        configuration.timerBuckets = [0.01, 1]
        configuration.recorderBuckets = [1, 2.5]
        configuration.labelValueBytesMax = 8
        return PrometheusMetrics(configuration: configuration)
    }

    @Test func `nothing is an empty text`() {
        #expect(text(PrometheusMetrics()) == "")
    }

    @Test func `counters, gauges and meters are written by name and labels`() {
        let metrics = small()
        Counter(label: "http.requests", dimensions: [("m", "b")], factory: metrics).increment(by: 2)
        Counter(label: "http.requests", dimensions: [("m", "a")], factory: metrics).increment()
        FloatingPointCounter(label: "work_total", factory: metrics).increment(by: 1.5)
        Gauge(label: "queue-depth", factory: metrics).record(-3)
        let meter = Meter(label: "9lives", factory: metrics)
        meter.set(7)
        meter.decrement(by: 0.5)
        #expect(
            text(metrics) == """
                # TYPE _9lives gauge
                _9lives 6.5
                # TYPE http_requests_total counter
                http_requests_total{m="a"} 1
                http_requests_total{m="b"} 2
                # TYPE queue_depth gauge
                queue_depth -3
                # TYPE work_total counter
                work_total 1.5

                """)
    }

    @Test func `a timer is a histogram of seconds`() {
        let metrics = small()
        let timer = CoreMetrics.Timer(label: "wait", dimensions: [("a", "b")], factory: metrics)
        timer.recordMilliseconds(10)
        timer.recordMilliseconds(500)
        timer.recordSeconds(3)
        #expect(
            text(metrics) == """
                # TYPE wait_seconds histogram
                wait_seconds_bucket{a="b",le="0.01"} 1
                wait_seconds_bucket{a="b",le="1"} 2
                wait_seconds_bucket{a="b",le="+Inf"} 3
                wait_seconds_sum{a="b"} 3.51
                wait_seconds_count{a="b"} 3

                """)
    }

    @Test func `a recorder that aggregates is a histogram`() {
        let metrics = small()
        let recorder = Recorder(label: "size", factory: metrics)
        for value in [1.0, 2, 3, .nan] { recorder.record(value) }
        #expect(text(metrics).contains("size_bucket{le=\"2.5\"} 2\nsize_bucket{le=\"+Inf\"} 3\n"))
        #expect(text(metrics).contains("size_sum 6\nsize_count 3\n"))
    }

    @Test(arguments: [
        ("a\"b", "a\\\"b"), ("a\\b", "a\\\\b"), ("a\nb", "a\\nb"), ("é", "é"),
        ("123456789", "12345678"), ("1234567é", "1234567"), ("", ""),
    ])
    func `a label's value is escaped and cut`(value: String, written: String) {
        let metrics = small()
        Counter(label: "c", dimensions: [("v", value)], factory: metrics).increment()
        #expect(text(metrics).hasSuffix("c_total{v=\"\(written)\"} 1\n"))
    }

    @Test func `labels have names of their own that are not reserved`() {
        let metrics = small()
        let dimensions = [("le", "1"), ("a.b", "2"), ("a-b", "3"), ("__x", "4"), ("", "5")]
        Counter(label: "c", dimensions: dimensions, factory: metrics).increment()
        #expect(
            text(metrics).hasSuffix("c_total{_=\"5\",a_b=\"2\",x__x=\"4\",xle=\"1\"} 1\n"))
    }

    @Test func `the same label and dimensions are one series, in any order`() {
        let metrics = small()
        Counter(label: "c", dimensions: [("a", "1"), ("b", "2")], factory: metrics).increment()
        Counter(label: "c", dimensions: [("b", "2"), ("a", "1")], factory: metrics).increment()
        #expect(text(metrics).hasSuffix("c_total{a=\"1\",b=\"2\"} 2\n"))
    }

    @Test func `beyond seriesMax series are dropped, and that is said`() {
        let metrics = small(2)
        for name in ["a", "b", "c", "d"] {
            Counter(label: "c", dimensions: [("n", name)], factory: metrics).increment()
        }
        let text = text(metrics)
        #expect(text.contains("{n=\"b\"} 1") && !text.contains("{n=\"c\"}"))
        #expect(text.hasSuffix("metrics_dropped_series_total 2\n"))
    }

    @Test func `a name that is another kind's is dropped`() {
        let metrics = small()
        Gauge(label: "a", factory: metrics).record(1)
        Recorder(label: "a", factory: metrics).record(1)
        #expect(text(metrics).hasPrefix("# TYPE a gauge\na 1\n# TYPE metrics_dropped_series_total"))
    }

    @Test func `a series is forgotten when the last who writes it is destroyed`() {
        let metrics = small(1)
        let first = Counter(label: "c", factory: metrics)
        let second = Counter(label: "c", factory: metrics)
        first.increment()
        first.destroy()
        second.increment()
        #expect(text(metrics).hasSuffix("c_total 2\n"))
        second.destroy()
        #expect(text(metrics) == "")
        Counter(label: "d", factory: metrics).increment()
        #expect(text(metrics).hasSuffix("d_total 1\n"))
    }

    @Test func `a counter does not go down, but may begin anew`() {
        let metrics = small()
        let counter = Counter(label: "c", factory: metrics)
        counter.increment(by: 5)
        counter.increment(by: -3)
        #expect(text(metrics).hasSuffix("c_total 5\n"))
        counter.reset()
        #expect(text(metrics).hasSuffix("c_total 0\n"))
    }

    @Test(arguments: [
        (1e300, "1e+300"), (0.1, "0.1"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        (-0.0, "0"),
    ])
    func `numbers are written as Prometheus reads them`(value: Double, written: String) {
        let metrics = small()
        Gauge(label: "g", factory: metrics).record(value)
        #expect(text(metrics).hasSuffix("g \(written)\n"))
    }

    @Test func `many threads count exactly`() async {
        let metrics = small()
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 {
                        Counter(label: "c", factory: metrics).increment()
                        Recorder(label: "r", factory: metrics).record(1)
                    }
                }
            }
        }
        #expect(text(metrics).contains("c_total 8000\n") && text(metrics).contains("r_sum 8000\n"))
    }

    @Test func `buckets that do not ascend trap`() async {
        await #expect(processExitsWith: .failure) {
            var configuration = PrometheusMetrics.Configuration()
            configuration.timerBuckets = [1, 1]
            _ = PrometheusMetrics(configuration: configuration)
        }
    }
}
