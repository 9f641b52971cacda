import NetPoll
import Synchronization
import Testing

@Suite("Connections of tasks, on every driver", .timeLimit(.minutes(10)))
struct AsyncSuite {
    /// What the serving task did so far.
    private final class Progress: Sendable {
        let pieces = Atomic<Int>(0)
        let received = Mutex<[UInt8]>([])
        let failure = Mutex<ConnectionError?>(nil)
        let serverEnded = Atomic<Bool>(false)

        var piecesWritten: Int { pieces.load(ordering: .relaxed) }
        var isOver: Bool { serverEnded.load(ordering: .relaxed) }
        var error: ConnectionError? { failure.withLock { $0 } }
    }

    /// A world whose connections are served by tasks, and a client.
    private struct Setup {
        let world: any World
        let client: any Client
        let server: Task<Void, Never>
        let progress: Progress

        init(
            _ driver: DriverKind,
            _ body:
                @escaping @Sendable (AsyncConnection, Progress) async throws(ConnectionError) ->
                Void
        ) throws {
            let world = try driver.makeWorld()
            let listener = try world.loop.listenForTasks(on: .v4(0x0100_007f, port: 0))
            let progress = Progress()
            server = Task(executorPreference: world.loop) {
                await listener.serve { connection in
                    do throws(ConnectionError) {
                        try await body(connection, progress)
                    } catch {
                        progress.failure.withLock { $0 = error }
                        throw error
                    }
                }
                progress.serverEnded.store(true, ordering: .relaxed)
            }
            client = try #require(world.connect(to: listener.address))
            (self.world, self.progress) = (world, progress)
        }

        /// Runs until something was counted, and then nothing more in twenty turns.
        func standsStill(_ count: () -> Int) -> Bool {
            var (last, turns) = (0, 0)
            return world.run {
                let now = count()
                turns = now > 0 && now == last ? turns + 1 : 0
                last = now
                return turns == 20
            }
        }

        /// Ends the server; whether nothing is left of it.
        func end() -> Bool {
            server.cancel()
            return world.run { progress.isOver && world.loop.registrations == 0 }
        }
    }

    // A simulated peer takes all there is at once, so that such a writer would never end.
    @Test(arguments: DriverKind.kernels)
    func `a write waits while the peer does not read, and ends when its task is cancelled`(
        driver: DriverKind
    ) throws {
        let setup = try Setup(driver) { (connection, progress) async throws(ConnectionError) in
            let piece = [UInt8](repeating: 7, count: 10_000)
            while true {
                try await connection.write(piece.span.bytes)
                progress.pieces.add(1, ordering: .relaxed)
            }
        }
        let progress = setup.progress
        setup.client.stall()
        #expect(setup.standsStill { progress.piecesWritten })
        let written = progress.piecesWritten
        setup.client.resume()
        #expect(setup.world.run { progress.piecesWritten > written + 100 })
        setup.client.stall()
        #expect(setup.standsStill { progress.piecesWritten })
        #expect(progress.error == nil)
        #expect(setup.end())
        #expect(progress.error == .cancelled)
        setup.client.resume()
        #expect(setup.world.run { setup.client.isReset })
    }

    @Test(arguments: DriverKind.allCases)
    func `what comes before the task reads waits, and arrives whole`(driver: DriverKind) throws {
        let gate = Gate()
        let setup = try Setup(driver) { (connection, progress) async throws(ConnectionError) in
            await gate.pass()
            for try await bytes in connection.inbound {
                progress.received.withLock { $0.append(contentsOf: bytes) }
            }
        }
        let sent = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        setup.client.send(sent)
        setup.client.sendEnd()
        #expect(setup.standsStill { setup.world.loop.metrics.receives })
        gate.open()
        #expect(setup.world.run { setup.client.isEnded })
        let isWhole = setup.progress.received.withLock { $0 == sent }
        #expect(isWhole)
        #expect(setup.end())
        #expect(setup.progress.error == nil)
    }
}
