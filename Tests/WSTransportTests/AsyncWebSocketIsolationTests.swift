import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// Sends that wait, from an actor whose jobs do not run on the WebSocket's loop.
@Suite("AsyncWebSocket and the actors of others", .timeLimit(.minutes(10)))
struct AsyncWebSocketIsolationTests {
    /// Runs its actor's jobs where they come, as a default actor that nobody else uses, until it is
    /// told to keep them.
    ///
    /// `@unchecked Sendable`: everything runs in the test's own thread.
    private final class Keeper: SerialExecutor, @unchecked Sendable {
        private var jobs: [UnownedJob] = []
        private var isRunning = false
        var keeps = false {
            didSet { run() }
        }

        func enqueue(_ job: consuming ExecutorJob) {
            jobs.append(UnownedJob(job))
            run()
        }

        private func run() {
            guard !isRunning else { return }
            isRunning = true
            while !keeps, !jobs.isEmpty {
                jobs.removeFirst().runSynchronously(on: asUnownedSerialExecutor())
            }
            isRunning = false
        }
    }

    private actor Room {
        nonisolated let keeper = Keeper()
        nonisolated var unownedExecutor: UnownedSerialExecutor { keeper.asUnownedSerialExecutor() }

        func say(_ bytes: [UInt8], on connection: AsyncWebSocket) async throws(WebSocketError) {
            try await connection.send(bytes.span.bytes, kind: .binary)
        }
    }

    private static let (first, second) = (
        [UInt8](repeating: 1, count: 200_000), [UInt8](repeating: 2, count: 200_000)
    )

    /// What became of sends, in the order in which their tasks went on.
    private final class Sends: Sendable {
        let told = Mutex<[String]>([])

        func note(_ name: String, _ send: () async throws(WebSocketError) -> Void) async {
            do throws(WebSocketError) {
                try await send()
                told.withLock { $0.append(name) }
            } catch {
                told.withLock { $0.append("\(name): \(error)") }
            }
        }
    }

    /// Two messages to a peer that takes neither: one by the task that serves, through the actor, and
    /// one by another task. The actor keeps its jobs once both wait.
    private func waiting(
        _ room: Room, isFirst: Bool
    ) async throws -> (bench: AsyncBench, peer: SimulatedPeer, sends: Sends) {
        let bench = try await AsyncBench { $0.heartbeat = nil }
        let sends = Sends()
        let gate = AsyncGate()
        let (first, second) = (Self.first, Self.second)
        bench.serve { connection in
            let other = Task(executorPreference: connection.loop) {
                if isFirst { await gate.pass() }
                await sends.note("task") { () async throws(WebSocketError) in
                    try await connection.send(
                        (isFirst ? second : first).span.bytes, kind: .binary)
                }
            }
            if !isFirst { await gate.pass() }
            await sends.note("actor") { () async throws(WebSocketError) in
                try await room.say(isFirst ? first : second, on: connection)
            }
            await other.value
        }
        let peer = try #require(bench.network.connect(to: bench.address, windowBytes: 16 << 10))
        peer.send(Bench.upgrade)
        peer.stall()
        bench.network.runUntilIdle()
        gate.open()
        bench.network.runUntilIdle()
        room.keeper.keeps = true
        return (bench, peer, sends)
    }

    @Test(arguments: [true, false])
    func `messages leave in their turn though the actor of one does not run`(
        isFirst: Bool
    ) async throws {
        let room = Room()
        let (bench, peer, sends) = try await waiting(room, isFirst: isFirst)
        #expect(sends.told.withLock { $0 } == [])
        peer.resume()
        bench.network.runUntilIdle()
        let expected =
            AsyncBench.plain(Self.first, .binary) + AsyncBench.plain(Self.second, .binary)
        let isSent = peer.frames.starts(with: expected)
        #expect(isSent)
        #expect(sends.told.withLock { $0 } == ["task"])
        room.keeper.keeps = false
        bench.network.runUntilIdle()
        #expect(sends.told.withLock { $0 } == ["task", "actor"])
    }

    @Test(arguments: [true, false])
    func `the end of the WebSocket is told to an actor that runs later`(
        isFirst: Bool
    ) async throws {
        let room = Room()
        let (bench, peer, sends) = try await waiting(room, isFirst: isFirst)
        peer.reset()
        bench.network.runUntilIdle()
        room.keeper.keeps = false
        bench.network.runUntilIdle()
        // What was taken is sent, as far as its task can know.
        let error = WebSocketError.closed(.lost(.reset))
        let (taken, waiting) = isFirst ? ("actor", "task") : ("task", "actor")
        #expect(sends.told.withLock { Set($0) } == [taken, "\(waiting): \(error)"])
    }
}
