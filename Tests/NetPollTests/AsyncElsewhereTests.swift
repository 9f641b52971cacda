import NetPoll
import NetPollTesting
import Synchronization
import Testing

/// Writers whose first job happens to run on the loop's thread, and whose others may run anywhere.
@Suite("Writes of tasks that are resumed elsewhere, simulated", .timeLimit(.minutes(10)))
struct AsyncElsewhereTests {
    /// Who writes.
    enum Writer: CaseIterable {
        /// A task that prefers another executor than the loop.
        case task
        /// An actor with an executor of its own, in a task that prefers the loop.
        case actor
    }

    /// Runs jobs when a test says so.
    private final class HeldExecutor: SerialExecutor, TaskExecutor {
        private let jobs = Mutex<[UnownedJob]>([])

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            jobs.withLock { $0.append(job) }
        }

        /// - Returns: Whether there was any.
        @discardableResult
        func runJobs(of writer: Writer) -> Bool {
            let taken = jobs.withLock { jobs in
                defer { jobs = [] }
                return jobs
            }
            for job in taken {
                switch writer {
                case .task: job.runSynchronously(on: asUnownedTaskExecutor())
                case .actor: job.runSynchronously(on: asUnownedSerialExecutor())
                }
            }
            return !taken.isEmpty
        }
    }

    private actor Author {
        private let executor: HeldExecutor

        nonisolated var unownedExecutor: UnownedSerialExecutor {
            executor.asUnownedSerialExecutor()
        }

        init(_ executor: HeldExecutor) {
            self.executor = executor
        }

        func write(_ bytes: [UInt8], on connection: AsyncConnection) async throws {
            try await connection.write(bytes.span.bytes)
        }
    }

    private let network = SimulatedNetwork()
    private let executor = HeldExecutor()

    /// A connection on a loop of the network, and its peer.
    private func connect() throws -> (AsyncConnection, SimulatedPeer) {
        let loop = network.makeLoop()
        let accepted = Mutex<AsyncConnection?>(nil)
        let address = SocketAddress.v4(UInt32(0x7f00_0001).bigEndian, port: 7)
        try loop.listen(on: address) { connection, peer in
            let core = AsyncConnectionCore(connection, from: peer)
            accepted.withLock { $0 = AsyncConnection(core) }
            return core
        }
        let peer = try #require(network.connect(to: address, windowBytes: 16 << 10))
        network.runUntilIdle()
        return (try #require(accepted.withLock { $0.take() }), peer)
    }

    /// Writes again and again; what each time was done is counted.
    private func write(
        _ bytes: [UInt8], times: Int, by writer: Writer, on connection: AsyncConnection,
        _ count: @escaping @Sendable () -> Void
    ) {
        let author = Author(executor)
        let preferred: any TaskExecutor = writer == .task ? executor : connection.loop
        Task(executorPreference: preferred) {
            try await connection.withLifetime { connection in
                for _ in 0..<times {
                    switch writer {
                    case .task: try await connection.write(bytes.span.bytes)
                    case .actor: try await author.write(bytes, on: connection)
                    }
                    count()
                }
            }
        }
    }

    @Test(arguments: Writer.allCases)
    func `one that waited for room holds nobody up until it is resumed`(writer: Writer) throws {
        let (connection, peer) = try connect()
        peer.stall()
        let written = Atomic(0)
        let others = Atomic(0)
        write([UInt8](repeating: 1, count: 10_000), times: 50, by: writer, on: connection) {
            written.add(1, ordering: .relaxed)
        }
        // Until one has to wait: on the loop's thread, as all here.
        repeat { network.runUntilIdle() } while executor.runJobs(of: writer)
        #expect((1..<50).contains(written.load(ordering: .relaxed)))
        Task(executorPreference: connection.loop) {
            try await connection.write("other")
            others.add(1, ordering: .relaxed)
        }
        network.runUntilIdle()
        #expect(others.load(ordering: .relaxed) == 0, "its turn comes when there is room")
        peer.resume()
        network.runUntilIdle()
        #expect(others.load(ordering: .relaxed) == 1)
        repeat { network.runUntilIdle() } while executor.runJobs(of: writer)
        #expect(written.load(ordering: .relaxed) == 50)
        #expect(peer.received.count == 50 * 10_000 + 5)
        network.run(for: .seconds(60))
        #expect(peer.isEnded)
    }

    @Test(arguments: Writer.allCases)
    func `a long one is carried on by the loop alone`(writer: Writer) throws {
        let (connection, peer) = try connect()
        peer.stall()
        let written = Atomic(0)
        write([UInt8](repeating: 1, count: 1_000_000), times: 1, by: writer, on: connection) {
            written.add(1, ordering: .relaxed)
        }
        repeat { network.runUntilIdle() } while executor.runJobs(of: writer)
        peer.resume()
        network.runUntilIdle()
        #expect(peer.received.count == 1_000_000)
        #expect(written.load(ordering: .relaxed) == 0)
        repeat { network.runUntilIdle() } while executor.runJobs(of: writer)
        #expect(written.load(ordering: .relaxed) == 1)
        network.run(for: .seconds(60))
        #expect(peer.isEnded)
    }
}
