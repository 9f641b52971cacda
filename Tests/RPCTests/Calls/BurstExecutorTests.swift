import NetPoll
import Synchronization
import Testing

@testable import RPC

@Suite("BurstExecutor", .timeLimit(.minutes(5)))
struct BurstExecutorTests {
    private final class Flags: Sendable {
        let ran = Atomic<Int>(0)
        let hasBegun = Atomic<Bool>(false)
        let isSet = Atomic<Bool>(false)
    }

    @Test(arguments: [1, 2, 4])
    func `all jobs run, also those of tasks that wait in between`(threads: Int) async {
        let executor = BurstExecutor(threadsMax: threads)
        let flags = Flags()
        await withTaskGroup { tasks in
            for _ in 0..<1_000 {
                tasks.addTask(executorPreference: executor) {
                    for _ in 0..<3 {
                        await Task.yield()
                        flags.ran.add(1, ordering: .relaxed)
                    }
                }
            }
        }
        let ran = flags.ran.load(ordering: .relaxed)
        #expect(ran == 3_000)
    }

    @Test func `a job that takes its time keeps no other from running`() async {
        let executor = BurstExecutor(threadsMax: 2)
        let flags = Flags()
        await withTaskGroup { tasks in
            tasks.addTask(executorPreference: executor) {
                flags.hasBegun.store(true, ordering: .releasing)
                // Ends only if the other runs meanwhile.
                while !flags.isSet.load(ordering: .acquiring) {}
            }
            // Nothing waited when it began.
            while !flags.hasBegun.load(ordering: .acquiring) { await Task.yield() }
            tasks.addTask(executorPreference: executor) {
                flags.isSet.store(true, ordering: .releasing)
            }
        }
        let isSet = flags.isSet.load(ordering: .relaxed)
        #expect(isSet)
    }

    @Test func `jobs that a loop adds in a burst begin when the burst ends`() async {
        let executor = BurstExecutor(threadsMax: 2)
        let flags = Flags()
        executor.beginBurst()
        let tasks = (0..<64).map { _ in
            Task.detached(executorPreference: executor) { () -> Void in
                flags.ran.add(1, ordering: .relaxed)
            }
        }
        // Time for a thread of the pool, if any were woken.
        for _ in 0..<1_000 { await Task.yield() }
        let early = flags.ran.load(ordering: .relaxed)
        #expect(early == 0)
        executor.endBurst()
        for task in tasks { await task.value }
        let ran = flags.ran.load(ordering: .relaxed)
        #expect(ran == 64)
    }

    private enum Pace: RPCService {
        static let serviceName = "test.Pace"
        static let quick = unary("Quick", [UInt8].self, [UInt8].self)
        static let slow = unary("Slow", [UInt8].self, [UInt8].self)
    }

    @Test func `a reply does not wait for the handlers behind it`() async throws {
        let flags = Flags()
        var handlers = RPCHandlers()
        handlers.handle(Pace.quick) { request, _ in request }
        handlers.handle(Pace.slow) { request, _ in
            // Ends only if the caller of the other gets its reply meanwhile.
            while !flags.isSet.load(ordering: .acquiring) {}
            return request
        }
        let world = try await SocketWorld(handlers: handlers)
        let connection = try await world.connect()
        let loop = connection.loop
        // All in one turn, and as many as there may be threads.
        let slow = await loop.run { [count = max(2, EventLoopGroup.Configuration().loops)] in
            _ = Task.detached(executorPreference: loop) {
                _ = try await connection.call(Pace.quick, [])
                flags.isSet.store(true, ordering: .releasing)
            }
            return (0..<count).map { _ in
                Task.detached(executorPreference: loop) { try await connection.call(Pace.slow, []) }
            }
        }
        for task in try #require(slow) { _ = try await task.value }
        let isSet = flags.isSet.load(ordering: .acquiring)
        #expect(isSet)
        await world.close()
    }
}
