import CoreMetrics
import MetricsTestKit
import NetPoll
import RPC
import RPCMetrics
import Testing

private enum Echo: RPCService {
    static let serviceName = "test.Echo"
    static let echo = unary("Echo", [UInt8].self, [UInt8].self)
}

@Suite("RPCServerMetrics")
struct RPCServerMetricsTests {
    @Test func `counters grow by what was added, and times are those since the last report`()
        async throws
    {
        let test = TestMetrics()
        let metrics = RPCServerMetrics(
            label: "rpc", dimensions: [("server", "a")], factory: test)
        let group = try EventLoopGroup()
        var handlers = RPCHandlers()
        handlers.handle(Echo.echo) { request, _ in request }
        let server = RPCServer(group: group, handlers: handlers)
        let address = try await server.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
        let connection = try await RPCConnection.connect(to: address, on: group.loops[0])
        for calls in [3, 2] {
            for _ in 0..<calls { _ = try await connection.call(Echo.echo, [1]) }
            metrics.report(await server.statistics())
        }
        metrics.report(await server.statistics())
        let dimensions = [("server", "a"), ("service", "test.Echo"), ("method", "Echo")]
        let ended = try test.expectCounter("rpc.ended", dimensions)
        #expect(ended.values == [3, 2])
        #expect(try test.expectCounter("rpc.started", dimensions).totalValue == 5)
        #expect(try test.expectGauge("rpc.running", dimensions).lastValue == 0)
        let quantile = [("quantile", "0.5")]
        let median = try test.expectGauge("rpc.duration.seconds", dimensions + quantile)
        #expect(median.values.count == 2)
        connection.close()
        await group.shutdown()
    }
}
