import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("Hedging and breaking, simulated", .timeLimit(.minutes(10)))
struct HedgingTests {
    private func world(_ configure: (inout RPCClientConfiguration) -> Void = { _ in }) throws
        -> ClientWorld
    {
        try ClientWorld(servers: 2) {
            $0.pool.balancing.policy = .roundRobin
            $0.hedging = HedgingPolicy()
            configure(&$0)
        }
    }

    @Test func `the quicker of two servers answers, and the slower one's handler is cancelled`()
        throws
    {
        let world = try world()
        for _ in 0..<2 { try world.warm() }
        // Whichever is asked first, one of them is slow.
        world.workers[0].counts.withLock { $0.delay = .seconds(10) }
        for _ in 0..<2 {
            let begin = world.network.now
            let call = world.call(Work.sleepAgain)
            #expect(world.network.run(within: .seconds(20)) { call.isOver })
            #expect(call.value == [UInt8(ascii: "b")])
            #expect(world.network.now - begin <= .milliseconds(60))
        }
        world.network.run(for: .milliseconds(10))
        #expect(world.workers[0].cancelled == world.workers[0].started - 1)
        #expect(world.workers[0].cancelled >= 1)
        #expect(world.client.snapshot.hedges >= 1)
        #expect(world.client.snapshot.inFlight == 0)
    }

    @Test func `a method that is not declared idempotent is attempted once`() throws {
        let world = try world()
        for worker in world.workers { worker.counts.withLock { $0.delay = .seconds(1) } }
        let call = world.call(Work.sleep)
        world.network.run(for: .seconds(2))
        #expect(call.isSuccess)
        let started = world.workers.map(\.started)
        #expect(started.reduce(0, +) == 1)
        #expect(world.client.snapshot.hedges == 0)
    }

    @Test func `a failure that may pass goes to the other server at once`() throws {
        let world = try world()
        world.workers[0].counts.withLock { $0.isIll = true }
        for _ in 0..<4 {
            let call = world.call(Work.tryAgain)
            world.network.run(for: .milliseconds(10))
            #expect(call.value == [UInt8(ascii: "b")])
        }
    }

    @Test func `too many failures break the client, and probes mend it`() throws {
        let world = try ClientWorld {
            $0.breaker = ErrorRateBreaking()
            $0.retry = nil
            $0.pool.balancing.ejection = nil
        }
        world.workers[0].counts.withLock { $0.isIll = true }
        for _ in 0..<30 {
            _ = world.call(Work.tryIt)
            world.network.run(for: .milliseconds(1))
        }
        #expect(world.workers[0].started == 20)
        #expect(world.client.snapshot.isBroken)
        let refused = world.call(Work.tryIt)
        #expect(refused.error?.code == .unavailable)
        #expect(refused.error?.execution == .notRun)
        world.workers[0].counts.withLock { $0.isIll = false }
        world.network.run(for: .seconds(2))
        for _ in 0..<3 {
            let probe = world.call(Work.tryIt)
            world.network.run(for: .milliseconds(1))
            #expect(probe.isSuccess)
        }
        #expect(!world.client.snapshot.isBroken)
    }

    @Test func `the budget ends repetitions when most calls fail`() throws {
        let world = try ClientWorld {
            $0.retry?.budget.tokensMax = 20
            $0.pool.balancing.ejection = nil
        }
        world.workers[0].counts.withLock { $0.isIll = true }
        for _ in 0..<100 {
            _ = world.call(Work.tryAgain)
            world.network.run(for: .seconds(1))
        }
        #expect(world.workers[0].started == 109)
        #expect(world.client.snapshot.retries == 9)
        #expect(world.client.snapshot.budget == 0)
    }
}
