import Hub
import HubTesting
import HubUpstream
import NetPollTesting
import PrometheusText
import RPC
import Synchronization
import Testing

@Suite("Metrics of what is told to an application")
struct UpstreamMetricsTests {
    @Test func `what is told, told again, dropped and waits is handed to metrics`() async throws {
        let bench = try await UpstreamBench { $0.eventsPerSessionMax = 2 }
        let metrics = PrometheusMetrics()
        let report = UpstreamMetricsReport(
            bench.events, label: "hub.upstream", sink: "rpc", factory: metrics)
        report.report()
        func text() -> String { String(decoding: metrics.text(), as: UTF8.self) }
        #expect(text().contains("hub_upstream_dropped_total{sink=\"rpc\"} 0\n"))
        let ann = try #require(try bench.join("ann"))
        bench.world.run(for: .seconds(1))
        bench.application.state.withLock { $0.failure = RPCError(.unavailable, "ill") }
        for number in 0..<5 { ann.say("msg e \(number)") }
        bench.world.run(for: .seconds(5))
        report.report()
        report.report()
        let ill = text()
        #expect(ill.contains("hub_upstream_delivered_total{sink=\"rpc\"} 1\n"))
        #expect(ill.contains("hub_upstream_dropped_total{sink=\"rpc\"} 3\n"))
        #expect(ill.contains("hub_upstream_waiting{sink=\"rpc\"} 2\n"))
        #expect(!ill.contains("hub_upstream_retries_total{sink=\"rpc\"} 0\n"))
        bench.application.state.withLock { $0.failure = nil }
        bench.world.run(for: .seconds(30))
        report.report()
        let well = text()
        #expect(well.contains("hub_upstream_delivered_total{sink=\"rpc\"} 3\n"))
        #expect(well.contains("hub_upstream_waiting{sink=\"rpc\"} 0\n"))
    }
}
