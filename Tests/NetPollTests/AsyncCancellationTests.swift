import NetPoll
import NetPollTesting
import Synchronization
import Testing

/// Cancelling tasks that are not the one a connection's lifetime is tied to.
@Suite("Cancellation of an AsyncConnection's tasks, simulated", .timeLimit(.minutes(10)))
struct AsyncCancellationTests {
    private final class Outcome: Sendable {
        private let stored = Mutex<ConnectionError?>(nil)

        var error: ConnectionError? { stored.withLock { $0 } }

        /// A task on `loop` that does `body`, whose error is kept.
        func task(
            on loop: EventLoop, _ body: @escaping @Sendable () async throws(ConnectionError) -> Void
        ) -> Task<Void, Never> {
            Task(executorPreference: loop) { [self] in
                do throws(ConnectionError) {
                    try await body()
                } catch {
                    stored.withLock { $0 = error }
                }
            }
        }
    }

    /// Accepts and reads nothing.
    private final class Deaf: ConnectionHandler, Sendable {
        func opened(_ connection: Connection) { connection.pauseReading() }
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {}
    }

    private let network = SimulatedNetwork()
    private let address = SocketAddress.v4(UInt32(0x7f00_0001).bigEndian, port: 7)

    @Test(arguments: [false, true])
    func `a child of a served connection's task is cancelled by itself`(writes: Bool) throws {
        let loop = network.makeLoop()
        let listener = try loop.listenForTasks(on: address)
        let (outcome, gate) = (Outcome(), Gate())
        let server = Task(executorPreference: loop) {
            await listener.serve { connection in
                let child = outcome.task(on: connection.loop) { () async throws(ConnectionError) in
                    let piece = [UInt8](repeating: 7, count: 10_000)
                    while writes { try await connection.write(piece.span.bytes) }
                    for try await _ in connection.inbound {}
                }
                await gate.pass()
                child.cancel()
                await child.value
            }
        }
        let peer = try #require(network.connect(to: address, windowBytes: 16 << 10))
        peer.stall()
        network.runUntilIdle()
        #expect(outcome.error == nil)
        gate.open()
        network.run(for: .seconds(1))
        #expect(outcome.error == .cancelled)
        #expect(peer.isReset)
        server.cancel()
        network.runUntilIdle()
        #expect(network.openDescriptors == 0)
    }

    /// Short writes wait behind themselves, long ones within.
    @Test(arguments: [10_000, 5_000_000], [false, true])
    func `a write that waits ends when its task is cancelled`(count: Int, isElsewhere: Bool) throws
    {
        let (server, client) = (network.makeLoop(), network.makeLoop())
        let elsewhere = isElsewhere ? network.makeLoop() : client
        try server.listen(on: address) { _, _ in Deaf() }
        let outcome = Outcome()
        let connected = Mutex<AsyncConnection?>(nil)
        Task(executorPreference: client) { [address] in
            let connection = try await Connection.connect(to: address, on: client)
            connected.withLock { $0 = connection }
        }
        network.runUntilIdle()
        let connection = try #require(connected.withLock { $0.take() })
        let writer = outcome.task(on: elsewhere) { () async throws(ConnectionError) in
            let bytes = [UInt8](repeating: 7, count: count)
            while true { try await connection.write(bytes.span.bytes) }
        }
        network.runUntilIdle()
        #expect(outcome.error == nil)
        writer.cancel()
        network.run(for: .seconds(1))
        #expect(outcome.error == .cancelled)
        #expect(server.registrations == 1, "only the listener is left")
        #expect(client.registrations == 0)
    }
}
