import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// A server on a simulated network whose WebSockets are served by tasks.
///
/// `@unchecked Sendable`: the network is used in the test's own thread.
final class AsyncBench: @unchecked Sendable {
    let network: SimulatedNetwork
    let group: EventLoopGroup
    let loop: EventLoop
    let server: AsyncWebSocketServer
    let address: SocketAddress
    private let task = Mutex<Task<Void, Never>?>(nil)
    private let ended = Atomic<Bool>(false)
    /// What the tasks ended with: `nil` for a return.
    let outcomes = Mutex<[WebSocketError?]>([])

    init(
        seed: UInt64 = 0, faults: Faults = Faults(),
        _ configure: (inout WebSocketServer.Configuration) -> Void = { _ in },
        accept: @escaping AsyncWebSocketServer.Accept = { _, _, _ in .upgrade() }
    ) async throws {
        network = SimulatedNetwork(seed: seed, faults: faults)
        var configuration = WebSocketServer.Configuration()
        configure(&configuration)
        group = network.makeGroup(loops: 1)
        loop = group.loops[0]
        server = AsyncWebSocketServer(group: group, configuration: configuration, accept: accept)
        address = try await server.listen(on: .v4(0x0100_007f, port: 80))
    }

    var serverEnded: Bool { ended.load(ordering: .relaxed) }

    func serve(_ body: @escaping @Sendable (AsyncWebSocket) async throws -> Void) {
        let task = Task(executorPreference: loop) { [server] in
            await server.serve { connection in
                do {
                    try await body(connection)
                    self.outcomes.withLock { $0.append(nil) }
                } catch {
                    self.outcomes.withLock { $0.append(error as? WebSocketError) }
                    throw error
                }
            }
            self.ended.store(true, ordering: .relaxed)
        }
        self.task.withLock { $0 = task }
        network.runUntilIdle()
    }

    func cancel() { task.withLock { $0?.cancel() } }

    @Sendable static func echo(_ connection: AsyncWebSocket) async throws {
        for try await message in connection.messages { try await connection.send(message) }
    }

    /// A raw client whose upgrade was answered with 101; see ``SimulatedPeer/frames``.
    func upgraded(windowBytes: Int = 64 << 10) throws -> SimulatedPeer {
        let peer = try #require(network.connect(to: address, windowBytes: windowBytes))
        peer.send(Bench.upgrade)
        let isAnswered = network.run(within: .seconds(5)) { peer.text.contains("\r\n\r\n") }
        #expect(isAnswered)
        #expect(peer.text.hasPrefix("HTTP/1.1 101 "))
        return peer
    }

    static func plain(_ bytes: [UInt8], _ opcode: Opcode = .text) -> [UInt8] {
        FrameEncoder.frame(bytes.span.bytes, opcode: opcode)
    }
}

extension SimulatedPeer {
    /// What came behind the answer to the upgrade.
    var frames: [UInt8] {
        let end: [UInt8] = [13, 10, 13, 10]
        let start = received.indices.first { received[$0...].starts(with: end) }
        return start.map { Array(received[($0 + 4)...]) } ?? []
    }
}
