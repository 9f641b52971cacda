import NetPoll
import Synchronization
import Testing

@Suite("Connections that wait to be taken")
struct AcceptQueueTests {
    /// Counts those that live.
    private final class Accepted: Sendable {
        let living: Living

        init(_ living: Living) {
            self.living = living
            living.count.add(1, ordering: .relaxed)
        }

        deinit { living.count.subtract(1, ordering: .relaxed) }
    }

    private final class Living: Sendable {
        let count = Atomic<Int>(0)
    }

    @Test func `a queue that is never empty forgets what was taken`() async {
        let living = Living()
        let queue = AcceptQueue<Accepted>()
        queue.push(Accepted(living))
        for _ in 0..<5_000 {
            queue.push(Accepted(living))
            let taken = await withUnsafeContinuation { queue.take($0) }
            #expect(taken != nil)
        }
        #expect(queue.hasRoom)
        #expect(living.count.load(ordering: .relaxed) <= 1 + AcceptQueue<Accepted>.waitingMax)
    }
}
