import Hub
import HubTesting
import HubWorlds
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("A hub's access log, on the simulated network")
struct AccessLogTests {
    @Test func `each answered request is told, an upgrade among them`() async throws {
        let lines = Mutex<[String]>([])
        let bench = try await LineBench {
            $0.accessLog = { access in
                let line = "\(access.request.method) \(access.request.path) \(access.status)"
                lines.withLock { $0.append(line) }
            }
        }
        _ = try bench.join("ann&token=secret")
        let peer = try #require(bench.network.connect(to: bench.address))
        peer.send(Array("GET /healthz?token=secret HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        peer.send(Array("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        bench.network.run(for: .seconds(1))
        #expect(
            lines.withLock { $0 } == ["GET /ws 101", "GET /healthz 200", "GET /nothing 404"])
    }
}
