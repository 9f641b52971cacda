import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("RPCClient, servers that go", .timeLimit(.minutes(10)))
struct RPCClientFaultTests {
    @Test func `a call whose connection is lost fails at once, and is not run again`() throws {
        let world = try ClientWorld()
        try world.warm()
        let call = world.call(Work.wait)
        let start = world.network.now
        world.kill(0)
        #expect(call.error?.code == .unavailable)
        #expect(call.error?.execution == .unknown)
        #expect(world.network.now == start)
        world.restart(0)
        world.network.run(for: .seconds(1))
        #expect(world.workers[0].started == 2)
    }

    @Test func `an idempotent one is made again on another connection`() throws {
        let world = try ClientWorld()
        try world.warm()
        let call = world.call(Work.waitAgain)
        world.kill(0)
        world.network.run(for: .milliseconds(100))
        #expect(!call.isOver)
        // It looks for a connection, and is not attempted yet.
        #expect(world.client.snapshot.retries == 0)
        world.restart(0)
        world.network.run(for: .seconds(2))
        #expect(!call.isOver)
        #expect(world.workers[0].started == 3)
        #expect(world.client.snapshot.retries == 1)
        call.task?.cancel()
        world.network.run(for: .seconds(1))
        #expect(call.error?.code == .cancelled)
    }

    @Test func `an attempt for which there is no time is not made, nor counted`() throws {
        let world = try ClientWorld {
            // Drawn by chance, hardly any wait is short enough.
            $0.retry?.backoffBase = .seconds(10_000)
            $0.retry?.backoffCap = .seconds(10_000)
        }
        try world.warm()
        world.workers[0].counts.withLock { $0.isIll = true }
        let call = world.call(Work.tryAgain, CallOptions(timeout: .seconds(1)))
        #expect(call.error?.code == .unavailable)
        #expect(world.workers[0].started == 2)
        #expect(world.client.snapshot.retries == 0)
    }

    @Test func `calls wait for a server that is away, and go when it is back`() throws {
        let world = try ClientWorld()
        world.kill(0)
        let call = world.call(Work.name)
        world.network.run(for: .seconds(5))
        #expect(!call.isOver)
        world.restart(0)
        #expect(world.network.run(within: .seconds(15)) { call.isOver })
        #expect(call.isSuccess)
        #expect(world.workers[0].started == 1)
    }

    @Test func `a call for which there is no connection by its deadline says that it was not run`()
        throws
    {
        let world = try ClientWorld()
        world.kill(0)
        let call = world.call(Work.waitAgain, CallOptions(timeout: .seconds(3)))
        world.network.run(for: .seconds(4))
        #expect(call.error?.code == .deadlineExceeded)
        #expect(call.error?.execution == .notRun)
        #expect(world.client.snapshot.inFlight == 0)
    }

    @Test func `a server that is cut off without a word is given up by the pings of the default`()
        throws
    {
        let world = try ClientWorld()
        try world.warm()
        let call = world.call(Work.wait, CallOptions(timeout: .seconds(300)))
        world.network.isolate(world.addresses[0])
        world.network.run(for: .seconds(29))
        #expect(!call.isOver)
        world.network.run(for: .seconds(2))
        #expect(call.error?.code == .unavailable)
        #expect(call.error?.execution == .unknown)
    }

    @Test func `a connection that reached its age is replaced, and no call notices`() throws {
        var server = RPCConfiguration()
        // The third connection, whatever the jitter of them all, ends after the last look at it.
        server.ageMax = .seconds(12)
        let world = try ClientWorld(server: server)
        world.workers[0].counts.withLock { $0.delay = .milliseconds(1_500) }
        try world.warm()
        let before = try #require(world.workers[0].server).peers(on: world.loop)
        var calls: [Running<[UInt8]>] = []
        for _ in 0..<60 {
            calls.append(world.call(Work.sleep))
            world.network.run(for: .milliseconds(500))
        }
        world.network.run(for: .seconds(2))
        #expect(calls.allSatisfy { $0.isSuccess })
        let after = try #require(world.workers[0].server).peers(on: world.loop)
        #expect(before.count == 1 && after.count == 1)
        #expect(world.client.snapshot.pool.entries[0].pool.dialFailures == 0)
        #expect(world.client.snapshot.pool.ejections == 0)
        #expect(world.connections == 1)
        #expect(try #require(before.first).isSame(as: try #require(after.first)) == false)
    }

    @Test func `a call that outlives the grace of its connection's age is lost`() throws {
        var server = RPCConfiguration()
        server.ageMax = .seconds(10)
        server.ageJitter = 0
        server.ageGrace = .seconds(5)
        let world = try ClientWorld(server: server)
        try world.warm()
        let call = world.call(Work.wait, CallOptions(timeout: .seconds(60)))
        world.network.run(for: .seconds(14))
        #expect(!call.isOver)
        world.network.run(for: .seconds(2))
        #expect(call.error?.code == .unavailable)
        #expect(call.error?.execution == .unknown)
    }

    @Test func `a server that drains is left for another without a failure`() throws {
        let world = try ClientWorld(servers: 2) { $0.pool.balancing.policy = .roundRobin }
        world.workers.forEach { $0.counts.withLock { $0.delay = .milliseconds(100) } }
        var calls: [Running<[UInt8]>] = []
        for _ in 0..<20 { calls.append(world.call(Work.sleep)) }
        world.network.run(for: .milliseconds(50))
        let drained = try #require(world.workers[0].server)
        let drain = world.start { await drained.drain(deadline: .seconds(5)) }
        world.network.runUntilIdle()
        for _ in 0..<20 { calls.append(world.call(Work.sleep)) }
        world.network.run(for: .seconds(20))
        #expect(drain.isOver)
        #expect(calls.allSatisfy { $0.isSuccess })
        let last = world.call(Work.name)
        world.network.run(for: .seconds(5))
        #expect(last.value == [UInt8(ascii: "b")])
    }

    @Test func `calls are spread over endpoints as the policy says`() throws {
        let world = try ClientWorld(servers: 3) { $0.pool.balancing.policy = .roundRobin }
        let client = world.client
        for _ in 0..<30 { _ = try world.run { try await client.call(Work.name, []) } }
        let started = world.workers.map(\.started)
        #expect(started == [10, 10, 10])
    }

    @Test func `equal keys go to the same endpoint`() throws {
        let world = try ClientWorld(servers: 3) { $0.pool.balancing.policy = .consistentHash }
        let client = world.client
        for key in ["one", "two", "three", "four"] {
            let names = try (0..<5).map { _ in
                try world.run {
                    let options = CallOptions(affinity: AffinityKey(key))
                    return try await client.call(Work.name, [], options: options)
                }
            }
            #expect(Set(names).count == 1)
        }
    }

    @Test func `an endpoint that keeps failing is ejected`() throws {
        let world = try ClientWorld(servers: 2) {
            $0.pool.balancing.policy = .roundRobin
            // So that what the ill one says stands.
            $0.retry = nil
            $0.failures = [.unavailable]
        }
        world.workers[0].counts.withLock { $0.isIll = true }
        var failed = 0
        for _ in 0..<40 {
            let call = world.call(Work.tryIt)
            world.network.run(for: .milliseconds(10))
            if !call.isSuccess { failed += 1 }
        }
        #expect(failed == 5)
        #expect(world.client.snapshot.pool.ejections == 1)
        #expect(world.workers[0].started == 5)
        world.network.run(for: .seconds(40))
        world.workers[0].counts.withLock { $0.isIll = false }
        for _ in 0..<10 {
            _ = world.call(Work.tryIt)
            world.network.run(for: .milliseconds(10))
        }
        #expect(world.workers[0].started == 10)
    }

    @Test func `an endpoint that fails streams whose callers only send is ejected`() throws {
        let world = try ClientWorld(servers: 2) {
            $0.pool.balancing.policy = .roundRobin
            $0.failures = [.unavailable]
        }
        world.workers[0].counts.withLock { $0.isIll = true }
        let client = world.client
        let message = [UInt8](repeating: 1, count: 16 << 10)
        var failed = 0
        for _ in 0..<40 {
            // The other one's are over at their deadline, which is no failure here.
            let options = CallOptions(timeout: .milliseconds(5))
            let call = world.start {
                try await client.call(Work.tryBoth, options: options) { requests, _ in
                    while true { try await requests.send(message) }
                }
            }
            world.network.run(for: .milliseconds(10))
            if call.error?.code == .unavailable { failed += 1 }
        }
        #expect(failed == 5)
        #expect(world.client.snapshot.pool.ejections == 1)
        #expect(world.workers[0].started == 5)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `servers die and come back under load: each call ends once, and safe ones succeed`(
        seed: UInt64
    ) throws {
        var faults = Faults()
        faults.shortReads = 0.1
        faults.shortWrites = 0.1
        faults.delayMax = .milliseconds(5)
        faults.reordersReadiness = true
        let world = try ClientWorld(servers: 3, seed: seed, faults: faults) {
            $0.retry?.attemptsMax = 10
            $0.retry?.budget.tokensMax = 1_000
        }
        var random = SeededGenerator(seed: seed)
        for worker in world.workers { worker.counts.withLock { $0.delay = .milliseconds(20) } }
        var calls: [(call: Running<[UInt8]>, isSafe: Bool)] = []
        var down: Int?
        for _ in 0..<60 {
            for _ in 0..<10 {
                let isSafe = Bool.random(using: &random)
                calls.append((world.call(isSafe ? Work.sleepAgain : Work.sleep), isSafe))
            }
            world.network.run(for: .milliseconds(Int.random(in: 1...30, using: &random)))
            if let index = down {
                world.restart(index)
                down = nil
            } else if Int.random(in: 0..<4, using: &random) == 0 {
                let index = Int.random(in: 0..<3, using: &random)
                world.kill(index)
                down = index
            }
        }
        if let down { world.restart(down) }
        world.network.run(for: .seconds(120))
        for (call, isSafe) in calls {
            #expect(call.isOver, "a call hangs, seed \(seed)")
            if isSafe { #expect(call.isSuccess, "\(String(describing: call.error)), seed \(seed)") }
            guard let error = call.error else { continue }
            #expect(error.code == .unavailable && error.execution != .answered, "seed \(seed)")
        }
        #expect(world.client.snapshot.inFlight == 0, "seed \(seed)")
        #expect(world.client.snapshot.waiting == 0, "seed \(seed)")
    }
}

extension RPCConnection {
    func isSame(as other: RPCConnection) -> Bool { peer === other.peer }
}
