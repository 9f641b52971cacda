import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("RPCClient, more calls than its connections take", .timeLimit(.minutes(10)))
struct LineTests {
    /// One connection that takes one call.
    private func makeNarrow(
        _ configure: (inout RPCClientConfiguration) -> Void = { _ in }
    ) throws -> ClientWorld {
        try ClientWorld {
            $0.connection.outgoingCallsMax = 1
            $0.pool.pool.connectionsMax = 1
            configure(&$0)
        }
    }

    @Test func `a call that waits for a connection gets it when another ends`() throws {
        let world = try makeNarrow()
        let first = world.call(Work.wait)
        let second = world.call(Work.name)
        #expect(!second.isOver)
        first.task?.cancel()
        world.network.run(for: .milliseconds(10))
        #expect(second.isSuccess)
        #expect(world.client.snapshot.inFlight == 0)
        #expect(world.client.snapshot.pool.entries[0].pool.leases == 0)
    }

    @Test func `calls get their connections in the order in which they came`() throws {
        let world = try makeNarrow()
        let first = world.call(Work.wait)
        let (second, third) = (world.call(Work.wait), world.call(Work.wait))
        first.task?.cancel()
        world.network.run(for: .milliseconds(10))
        let fourth = world.call(Work.name)
        #expect(world.workers[0].started == 2)
        second.task?.cancel()
        world.network.run(for: .milliseconds(10))
        #expect(second.isOver)
        #expect(world.workers[0].started == 3)
        #expect(!fourth.isOver)
        third.task?.cancel()
        world.network.run(for: .milliseconds(10))
        #expect(third.isOver && fourth.isSuccess)
    }

    @Test(arguments: [1, 3, 40, 4_096])
    func `a thousand callers share few units, and none stalls`(callsMax: Int) throws {
        let world = try ClientWorld {
            $0.callsMax = callsMax
            $0.connection.outgoingCallsMax = 10
            $0.pool.pool.connectionsMax = 4
        }
        world.workers[0].counts.withLock { $0.delay = .milliseconds(1) }
        let calls = (0..<1_000).map { _ in world.call(Work.sleep) }
        world.network.run(for: .seconds(2))
        #expect(calls.allSatisfy { $0.isSuccess })
        #expect(world.client.snapshot.inFlight == 0)
        #expect(world.client.snapshot.waiting == 0)
        #expect(world.client.snapshot.pool.entries[0].pool.leases == 0)
    }

    /// A connection that takes many calls.
    private func makeWide(callsMax: Int) throws -> ClientWorld {
        let world = try ClientWorld {
            $0.callsMax = callsMax
            $0.pool.pool.connectionsMax = 1
        }
        try world.warm()
        return world
    }

    /// The line of a call that is then in flight.
    private func makeLine(_ world: ClientWorld) throws -> Line {
        try world.run { [client = world.client] in
            var options = CallOptions()
            return try await client.line(&options, since: client.pool.now, nil)
        }
    }

    /// The place of a call that finds too many in flight.
    private func makeSeat(_ world: ClientWorld) throws -> CallSeat {
        guard case .wait(let seat) = world.client.lines.take(wantsKept: true) else {
            throw RPCError(.internal, "there is room")
        }
        return seat
    }

    /// What it is given.
    private func wait(_ seat: CallSeat, _ world: ClientWorld) throws -> Line? {
        try world.run { [lines = world.client.lines] in try await lines.wait(seat, until: nil) }
    }

    @Test func `a call that is admitted goes on the line of the one before`() throws {
        let world = try makeWide(callsMax: 1)
        let line = try makeLine(world)
        let seat = try makeSeat(world)
        world.client.lines.giveBack(line, .success)
        #expect(try wait(seat, world) === line)
        world.client.lines.giveBack(line, .success)
        #expect(world.client.snapshot.inFlight == 0)
        #expect(world.client.snapshot.pool.entries[0].pool.leases == 0)
    }

    @Test func `a call that is admitted after one that failed goes on a kept line`() throws {
        let world = try makeWide(callsMax: 2)
        let lines = world.client.lines
        let (kept, failed) = (try makeLine(world), try makeLine(world))
        lines.giveBack(kept, .success)
        // In flight with a line of its own, so that the kept one stays.
        guard case .lease = lines.take(wantsKept: false) else {
            throw RPCError(.internal, "there is no room")
        }
        let seat = try makeSeat(world)
        lines.giveBack(failed, .failure)
        #expect(try wait(seat, world) === kept)
        lines.giveBack(kept, .success)
        lines.giveBack(nil, .neutral)
        #expect(world.client.snapshot.inFlight == 0)
        #expect(world.client.snapshot.pool.entries[0].pool.leases == 0)
    }

    @Test func `calls that wait at the pool or for their turn are all served`() throws {
        let world = try makeNarrow { $0.callsMax = 2 }
        let first = world.call(Work.wait)
        let second = world.call(Work.name)
        let third = world.call(Work.name)
        #expect(world.client.snapshot.waiting == 1)
        first.task?.cancel()
        world.network.run(for: .milliseconds(10))
        #expect(second.isSuccess && third.isSuccess)
        #expect(world.client.snapshot.inFlight == 0)
    }

    @Test func `what is kept goes back before a call with a key waits for the pool`() throws {
        let world = try ClientWorld {
            $0.connection.outgoingCallsMax = 2
            $0.pool.pool.connectionsMax = 1
        }
        try world.warm()
        let first = world.call(Work.wait)
        // Its line is kept, as another call is in flight.
        try world.warm()
        #expect(world.client.snapshot.pool.entries[0].pool.leases == 2)
        let second = world.call(Work.name, CallOptions(affinity: AffinityKey("key")))
        world.network.run(for: .milliseconds(10))
        #expect(second.isSuccess)
        first.task?.cancel()
        world.network.run(for: .milliseconds(10))
        #expect(world.client.snapshot.pool.entries[0].pool.leases == 0)
    }

    @Test func `a call that gave up waiting leaves no line behind`() throws {
        let world = try ClientWorld {
            $0.callsMax = 1
            $0.pool.pool.idleTimeout = .seconds(60)
        }
        try world.warm()
        let first = world.call(Work.wait)
        let late = world.call(Work.name, CallOptions(timeout: .milliseconds(10)))
        world.network.run(for: .milliseconds(20))
        #expect(late.error?.code == .deadlineExceeded)
        first.task?.cancel()
        world.network.run(for: .seconds(70))
        #expect(world.connections == 0)
    }
}
