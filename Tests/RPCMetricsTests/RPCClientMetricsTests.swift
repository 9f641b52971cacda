import CoreMetrics
import MetricsTestKit
import NetPoll
import NetPollTesting
import RPC
import RPCMetrics
import RPCTesting
import Testing

private enum Work: RPCService {
    static let serviceName = "test.Work"
    static let echo = unary("Echo", [UInt8].self, [UInt8].self)
    static let fail = unary("Fail", [UInt8].self, [UInt8].self, .idempotent)
}

@Suite("RPCClientMetrics")
struct RPCClientMetricsTests {
    private func makeBed() throws -> RPCTestbed {
        var handlers = RPCHandlers()
        handlers.handle(Work.echo) { request, _ in request }
        handlers.handle(Work.fail) { _, _ in throw RPCError(.unavailable, "ill") }
        return try RPCTestbed(handlers: handlers)
    }

    @Test func `counters of each method grow by what was added since the last report`() throws {
        let test = TestMetrics()
        let metrics = RPCClientMetrics(
            label: "rpc", dimensions: [("client", "a")], factory: test)
        let bed = try makeBed()
        let client = bed.makeClient()
        for calls in [3, 2] {
            try bed.run { for _ in 0..<calls { _ = try await client.call(Work.echo, [1]) } }
            metrics.report(client)
        }
        metrics.report(client)
        let dimensions = [("client", "a"), ("service", "test.Work"), ("method", "Echo")]
        #expect(try test.expectCounter("rpc.ended", dimensions).values == [3, 2])
        #expect(try test.expectCounter("rpc.started", dimensions).totalValue == 5)
        #expect(try test.expectCounter("rpc.failed", dimensions).values == [])
        #expect(try test.expectGauge("rpc.running", dimensions).lastValue == 0)
        let median = try test.expectGauge(
            "rpc.duration.seconds", dimensions + [("quantile", "0.5")])
        #expect(median.values.count == 2)
    }

    @Test func `failures and what was repeated for them are counted`() throws {
        let test = TestMetrics()
        let metrics = RPCClientMetrics(label: "rpc", factory: test)
        let bed = try makeBed()
        let client = bed.makeClient()
        #expect(throws: RPCError.self) {
            try bed.run { _ = try await client.call(Work.fail, []) }
        }
        metrics.report(client)
        let dimensions = [("service", "test.Work"), ("method", "Fail")]
        #expect(try test.expectCounter("rpc.started", dimensions).totalValue == 1)
        #expect(try test.expectCounter("rpc.failed", dimensions).totalValue == 1)
        let retries = try test.expectCounter("rpc.retries").totalValue
        #expect(retries == Int64(client.snapshot.retries))
        #expect(retries > 0)
        #expect(try test.expectGauge("rpc.in_flight").lastValue == 0)
        #expect(try test.expectGauge("rpc.waiting").lastValue == 0)
        metrics.report(client)
        #expect(try test.expectCounter("rpc.retries").totalValue == retries)
    }

    @Test func `calls that are refused are counted`() throws {
        let test = TestMetrics()
        let metrics = RPCClientMetrics(label: "rpc", factory: test)
        let bed = try makeBed()
        var configuration = RPCClientConfiguration()
        configuration.callsMax = 1
        configuration.whenFull = .fail
        let client = bed.makeClient(configuration: configuration)
        let refused = try bed.run {
            await withTaskGroup { tasks in
                for _ in 0..<3 {
                    tasks.addTask {
                        do throws(RPCError) {
                            _ = try await client.call(Work.echo, [])
                            return false
                        } catch {
                            return error.code == .resourceExhausted
                        }
                    }
                }
                return await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
        metrics.report(client)
        #expect(refused == 2)
        #expect(try test.expectCounter("rpc.refused").totalValue == 2)
    }
}
