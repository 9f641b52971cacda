import Dispatch
import Glibc
import NetPoll
import Synchronization
import Testing

@Suite("WorkerPool", .timeLimit(.minutes(10)))
struct WorkerPoolTests {
    /// Keeps workers occupied until they are told to go on, without taking a processor from the tests
    /// that run beside.
    private final class Latch: Sendable {
        private let gate = DispatchSemaphore(value: 0)

        func open() { gate.signal() }

        func hold() {
            gate.wait()
            gate.signal()
        }
    }

    private func makePool(
        threads: Int = 1, queueMax: Int = 1_024, whenFull: WorkerPool.FullPolicy = .wait
    ) throws -> WorkerPool {
        var configuration = WorkerPool.Configuration()
        configuration.threads = threads
        configuration.queueMax = queueMax
        configuration.whenFull = whenFull
        return try WorkerPool(configuration: configuration)
    }

    /// Waits until the pool's counters say so; other threads make them do so.
    private func wait(for pool: WorkerPool, _ condition: (WorkerPool.Metrics) -> Bool) async {
        while !condition(pool.metrics) { await Task.yield() }
    }

    @Test func `results and errors come back`() async throws {
        struct Fault: Error {}
        let pool = try makePool(threads: 2)
        let sum = try await withThrowingTaskGroup { tasks in
            for index in 1...100 { tasks.addTask { try await pool.run { index } } }
            return try await tasks.reduce(0, +)
        }
        #expect(sum == 5_050)
        await #expect(throws: Fault.self) { try await pool.run { throw Fault() } }
        await pool.shutdown()
        #expect(pool.metrics.finished == 101)
        #expect(pool.metrics.waiting == 0 && pool.metrics.running == 0)
    }

    @Test func `a task goes on on its loop`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        let group = try EventLoopGroup(configuration: configuration)
        let loop = group.loops[0]
        let pool = try makePool()
        let places = await Task(executorPreference: loop) { () -> [Bool] in
            let before = loop.isCurrent
            let during = try? await pool.run { loop.isCurrent }  // Nothing here throws.
            return [before, during ?? true, loop.isCurrent]
        }.value
        #expect(places == [true, false, true])
        await pool.shutdown()
        await group.shutdown()
    }

    @Test func `a full queue refuses, and so does a closed pool`() async throws {
        let pool = try makePool(queueMax: 1, whenFull: .refuse)
        let latch = Latch()
        try pool.submit { latch.hold() }
        await wait(for: pool) { $0.running == 1 }
        try pool.submit {}
        #expect(throws: WorkerPoolError.full) { try pool.submit {} }
        await #expect(throws: WorkerPoolError.full) { try await pool.run {} }
        #expect(pool.metrics.refused == 2)
        latch.open()
        await pool.shutdown()
        #expect(pool.metrics.finished == 2)
        #expect(throws: WorkerPoolError.shutdown) { try pool.submit {} }
    }

    @Test func `a full queue makes the caller work, or wait`() async throws {
        let latch = Latch()
        let braking = try makePool(queueMax: 0, whenFull: .runInPlace)
        try braking.submit { latch.hold() }
        await wait(for: braking) { $0.running == 1 }
        #expect(try await braking.run { 7 } == 7)
        #expect(braking.metrics.ranInPlace == 1)
        let patient = try makePool(queueMax: 0)
        try patient.submit { latch.hold() }
        await wait(for: patient) { $0.running == 1 }
        let late = Task { try await patient.run { 8 } }
        await wait(for: patient) { $0.waiting == 1 }
        latch.open()
        #expect(try await late.value == 8)
        await braking.shutdown()
        await patient.shutdown()
    }

    @Test func `what is submitted to a full queue never waits: it is refused, or done in place`()
        async throws
    {
        let latch = Latch()
        let patient = try makePool(queueMax: 1, whenFull: .wait)
        try patient.submit { latch.hold() }
        await wait(for: patient) { $0.running == 1 }
        try patient.submit {}
        #expect(throws: WorkerPoolError.full) { try patient.submit {} }
        #expect(patient.metrics.refused == 1 && patient.metrics.waiting == 1)
        let braking = try makePool(queueMax: 1, whenFull: .runInPlace)
        try braking.submit { latch.hold() }
        await wait(for: braking) { $0.running == 1 }
        let threads = Mutex<[pthread_t]>([])
        let note = { @Sendable () -> Void in threads.withLock { $0.append(pthread_self()) } }
        try braking.submit(note)
        #expect(threads.withLock { $0 }.isEmpty, "this one waits")
        try braking.submit(note)
        #expect(threads.withLock { $0 } == [pthread_self()], "done before the call returned")
        #expect(braking.metrics.ranInPlace == 1 && braking.metrics.waiting == 1)
        latch.open()
        await patient.shutdown()
        await braking.shutdown()
        #expect(patient.metrics.finished == 2 && braking.metrics.finished == 2)
        #expect(threads.withLock { $0.count } == 2)
        #expect(throws: WorkerPoolError.shutdown) { try braking.submit {} }
    }

    @Test func `work whose task is cancelled before it began is taken back`() async throws {
        let pool = try makePool()
        let latch = Latch()
        try pool.submit { latch.hold() }
        await wait(for: pool) { $0.running == 1 }
        let ran = Atomic<Bool>(false)
        let task = Task { try await pool.run { ran.store(true, ordering: .relaxed) } }
        await wait(for: pool) { $0.waiting == 1 }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        latch.open()
        await pool.shutdown()
        let hasRun = ran.load(ordering: .relaxed)
        #expect(!hasRun)
        #expect(pool.metrics.cancelled == 1)
    }
}
