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
}
