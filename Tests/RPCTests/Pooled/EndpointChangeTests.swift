import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("RPCClient, endpoints that come and go", .timeLimit(.minutes(10)))
struct EndpointChangeTests {
    /// Calls once in each millisecond.
    private func load(_ world: ClientWorld, calls: Int) -> [Running<[UInt8]>] {
        (0..<calls).map { _ in
            let call = world.call(Work.sleep)
            world.network.run(for: .milliseconds(1))
            return call
        }
    }

    @Test func `an endpoint goes and comes back under load, and no call notices`() throws {
        let world = try ClientWorld(servers: 3) { $0.pool.balancing.policy = .roundRobin }
        for worker in world.workers { worker.counts.withLock { $0.delay = .milliseconds(50) } }
        let client = world.client
        var calls = load(world, calls: 200)
        let removal = world.start { await client.remove("c", deadline: .seconds(5)) }
        world.network.runUntilIdle()
        let started = world.workers[2].started
        #expect(started > 0 && !removal.isOver)
        calls += load(world, calls: 200)
        #expect(removal.value == true)
        #expect(world.workers[2].started == started)
        #expect(world.workers[2].server?.peers(on: world.loop).isEmpty == true)
        let again = try world.run { await client.remove("c") }
        #expect(!again)
        let (added, twice) = (
            client.add(Endpoint(name: "c")), client.add(Endpoint(name: "c"))
        )
        #expect(added && !twice)
        calls += load(world, calls: 200)
        #expect(world.workers[2].started > started)
        world.network.run(for: .seconds(1))
        #expect(calls.allSatisfy { $0.isSuccess })
        #expect(client.snapshot.inFlight == 0)
        #expect(client.snapshot.pool.ejections == 0)
    }

    @Test func `what is left of an endpoint's calls at the deadline of its removal fails`() throws {
        let world = try ClientWorld()
        try world.warm()
        let client = world.client
        let call = world.call(Work.wait)
        let removal = world.start { await client.remove("a", deadline: .seconds(2)) }
        world.network.run(for: .milliseconds(1_900))
        #expect(!removal.isOver && !call.isOver)
        world.network.run(for: .milliseconds(200))
        #expect(removal.value == true)
        #expect(call.error?.code == .unavailable)
        #expect(call.error?.execution == .unknown)
        #expect(world.workers[0].cancelled == 1)
        let late = world.call(Work.name)
        #expect(late.error?.code == .unavailable)
        #expect(late.error?.execution == .notRun)
        let added = client.add(Endpoint(name: "a"))
        #expect(added)
        try world.warm()
    }

    @Test func `calls made while an endpoint is removed keep no line to it`() throws {
        let world = try ClientWorld(servers: 2) { $0.pool.balancing.policy = .roundRobin }
        for _ in 0..<2 { try world.warm() }
        let client = world.client
        let others = (0..<8).map { _ in world.call(Work.wait) }
        let removal = world.start { await client.remove("b", deadline: .seconds(60)) }
        let during = (0..<4).map { _ in world.start { try await client.call(Work.name, []) } }
        world.network.run(for: .milliseconds(10))
        #expect(during.allSatisfy { $0.isSuccess })
        let started = world.workers[1].started
        for _ in 0..<16 { try world.warm() }
        #expect(world.workers[1].started == started)
        for other in others { other.task?.cancel() }
        world.network.run(for: .milliseconds(10))
        #expect(removal.value == true)
    }
}
