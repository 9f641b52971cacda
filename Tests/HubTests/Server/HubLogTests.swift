import Hub
import HubTesting
import HubWorlds
import Logging
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("What a hub logs, on the simulated network")
struct HubLogTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private struct Recording: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let told = (event.metadata ?? [:]).keys.sorted().joined(separator: " ")
            lines.all.withLock { $0.append("\(event.level) \(event.message): \(told)") }
        }
    }

    @Test func `its life at info, clients that fail at debug, each with who it is`() async throws {
        let network = SimulatedNetwork()
        let group = network.makeGroup(loops: 1)
        let lines = Lines()
        let hub = HubServer(
            group: group, application: LineApplication(),
            logger: Logger(label: "hub") { _ in Recording(lines: lines) })
        let address = SocketAddress.v4(0x0100_007f, port: 80)
        try await hub.listen(on: address)
        let client = SimulatedClient(peer: try #require(network.connect(to: address)))
        client.requestUpgrade("/ws?ann")
        network.run(for: .seconds(1))
        client.peer.reset()
        network.run(for: .seconds(1))
        let stranger = try #require(network.connect(to: address))
        stranger.send(Array("nonsense\r\n\r\n".utf8))
        network.run(for: .seconds(1))
        Task(executorPreference: hub.firstLoop) { await hub.drain(deadline: .seconds(1)) }
        network.run(for: .seconds(5))
        #expect(
            lines.all.withLock { $0 } == [
                "debug listening: address",
                "debug session ended badly: reason remote session user",
                "debug no session: reason remote",
                "info draining: deadline sessions",
                "info drained: ",
            ])
    }
}
