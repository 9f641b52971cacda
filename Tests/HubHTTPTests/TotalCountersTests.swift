import CoreMetrics
import HubHTTP
import PrometheusText
import Testing

@Suite("Counters that follow totals")
struct TotalCountersTests {
    @Test func `of two that report at once the later one takes nothing back`() {
        let metrics = PrometheusMetrics()
        let counters = TotalCounters([Counter(label: "a_total", factory: metrics)])
        for totals: [UInt64] in [[100], [110], [100], [120]] { counters.follow(totals) }
        let text = String(decoding: metrics.text(), as: UTF8.self)
        #expect(text.contains("a_total 120\n"), "\(text)")
    }
}
