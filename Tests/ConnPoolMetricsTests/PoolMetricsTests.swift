import ConnPool
import ConnPoolMetrics
import CoreMetrics
import MetricsTestKit
import Testing

@Suite("Pool metrics", .timeLimit(.minutes(10)))
struct PoolMetricsTests {
    @Test func `counters grow by what was added, levels are what they are`() async throws {
        let pool = ConnectionPool(
            connector: PoolConnector { _ in
                1
            } close: { _, _ in
            })
        let factory = TestMetrics()
        let metrics = PoolMetrics(
            label: "db", dimensions: [("endpoint", "a")], factory: factory)
        func report() { metrics.report(pool.snapshot, pool.counters, pool.durations) }

        for _ in 0..<3 { try await pool.withConnection { _ in } }
        report()
        let endpoint = [("endpoint", "a")]
        let leased = try factory.expectCounter("db.leased", endpoint)
        #expect(leased.totalValue == 3)
        #expect(try factory.expectGauge("db.idle", endpoint).lastValue == 1)
        let median = try factory.expectGauge(
            "db.wait.seconds", endpoint + [("quantile", "0.5")])
        #expect(median.lastValue != nil)

        for _ in 0..<2 { try await pool.withConnection { _ in } }
        report()
        #expect(leased.totalValue == 5)
        let reports = median.values.count
        report()
        #expect(leased.totalValue == 5)
        #expect(median.values.count == reports)
        await pool.close()
        report()
        #expect(try factory.expectGauge("db.idle", endpoint).lastValue == 0)
    }
}
