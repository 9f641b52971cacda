import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("RPCClient, simulated", .timeLimit(.minutes(10)))
struct RPCClientTests {
    @Test func `a thousand calls at once share one connection, and leave nothing behind`() throws {
        let world = try ClientWorld()
        let calls = (0..<1_000).map { _ in world.call(Work.name) }
        world.network.run(for: .milliseconds(10))
        #expect(calls.allSatisfy { $0.value == [UInt8(ascii: "a")] })
        #expect(world.connections == 1)
        let snapshot = world.client.snapshot
        #expect(snapshot.inFlight == 0)
        #expect(snapshot.pool.entries[0].pool.leases == 0)
        #expect(snapshot.pool.entries[0].inFlight == 0)
    }

    @Test func `all shapes of calls go through it`() throws {
        let world = try ClientWorld()
        let client = world.client
        let counted = try world.run {
            try await client.call(Work.count, [1, 2, 3]) { numbers in
                var all: [UInt8] = []
                for try await number in numbers { all += number }
                return all
            }
        }
        #expect(counted == [1, 2, 3])
        let gathered = try world.run {
            try await client.call(Work.gather) { for n in 1...3 { try await $0.send([UInt8(n)]) } }
        }
        #expect(gathered == [1, 2, 3])
        let mirrored = try world.run {
            try await client.call(Work.mirror) { requests, replies in
                try await requests.send([7])
                requests.finish()
                var all: [UInt8] = []
                for try await reply in replies { all += reply }
                return all
            }
        }
        #expect(mirrored == [7])
        try world.run { try await client.send(Work.name, []) }
        world.network.runUntilIdle()
        #expect(world.workers[0].started == 2)
        #expect(world.client.snapshot.inFlight == 0)
    }

    @Test func `beyond the limit calls fail where that is the policy`() throws {
        let world = try ClientWorld {
            $0.callsMax = 2
            $0.whenFull = .fail
        }
        try world.warm()
        let (first, second) = (world.call(Work.wait), world.call(Work.wait))
        let third = world.call(Work.name)
        #expect(third.error?.code == .resourceExhausted)
        #expect(third.error?.execution == .notRun)
        #expect(world.client.snapshot.refused == 1)
        #expect(world.client.snapshot.inFlight == 2)
        #expect(!first.isOver && !second.isOver)
    }

    @Test func `beyond the limit calls wait, first come first served`() throws {
        let world = try ClientWorld {
            $0.callsMax = 1
            $0.whenFull = .wait(callsMax: 2)
        }
        try world.warm()
        let first = world.call(Work.wait)
        let second = world.call(Work.wait)
        let third = world.call(Work.name)
        let fourth = world.call(Work.name)
        #expect(fourth.error?.code == .resourceExhausted)
        #expect(world.client.snapshot.waiting == 2)
        first.task?.cancel()
        world.network.run(for: .milliseconds(10))
        #expect(first.error?.code == .cancelled)
        #expect(world.workers[0].started == 3)
        #expect(!second.isOver && !third.isOver)
        second.task?.cancel()
        world.network.run(for: .milliseconds(10))
        #expect(third.isSuccess)
        #expect(world.client.snapshot.waiting == 0)
        #expect(world.client.snapshot.inFlight == 0)
    }

    @Test func `a call that waits ends at its deadline or when it is cancelled`() throws {
        let world = try ClientWorld { $0.callsMax = 1 }
        try world.warm()
        let first = world.call(Work.wait)
        let late = world.call(Work.name, CallOptions(timeout: .seconds(1)))
        let cancelled = world.call(Work.name)
        cancelled.task?.cancel()
        world.network.run(for: .milliseconds(999))
        #expect(cancelled.error?.code == .cancelled)
        #expect(!late.isOver)
        world.network.run(for: .milliseconds(2))
        #expect(late.error?.code == .deadlineExceeded)
        #expect(late.error?.execution == .notRun)
        #expect(world.client.snapshot.waiting == 0)
        first.task?.cancel()
        world.network.run(for: .milliseconds(10))
        try world.warm()
    }

    @Test func `cancelling the caller's task cancels the server's`() throws {
        let world = try ClientWorld()
        try world.warm()
        let call = world.call(Work.wait)
        #expect(world.workers[0].cancelled == 0)
        call.task?.cancel()
        world.network.run(for: .milliseconds(10))
        #expect(call.error?.code == .cancelled)
        #expect(call.error?.execution == .unknown)
        #expect(world.workers[0].cancelled == 1)
    }

    @Test func `a deadline travels through a handler's own calls`() throws {
        let world = try ClientWorld()
        let client = world.client
        let begin = world.network.now
        let call = world.start {
            try await RPCDeadline.$current.withValue(begin + .seconds(3)) {
                try await client.call(Work.wait, [], options: CallOptions(timeout: .seconds(60)))
            }
        }
        world.network.run(for: .seconds(4))
        #expect(call.error?.code == .deadlineExceeded)
        let deadlines = world.workers[0].counts.withLock { $0.deadlines }
        let deadline = try #require(deadlines.last ?? nil)
        #expect(deadline <= begin + .seconds(3))
        #expect(world.workers[0].cancelled == 1)
    }

    @Test func `servers call the client back on the connections it called them by`() throws {
        var handlers = RPCHandlers()
        handlers.handle(Echo.echo, on: .loop) { request, _ in request + [9] }
        let world = try ClientWorld(clientHandlers: handlers)
        try world.warm()
        let server = try #require(world.workers[0].server)
        let peer = try #require(server.peers(on: world.loop).first)
        let reply = try world.run { try await peer.call(Echo.echo, [1]) }
        #expect(reply == [1, 9])
    }

    @Test func `drain awaits the calls in flight, and takes no more`() throws {
        let world = try ClientWorld()
        try world.warm()
        world.workers[0].counts.withLock { $0.delay = .seconds(2) }
        let client = world.client
        let call = world.call(Work.sleep)
        let drain = world.start { await client.drain(deadline: .seconds(10)) }
        world.network.run(for: .seconds(1))
        #expect(!drain.isOver)
        let late = world.call(Work.name)
        #expect(late.error?.code == .unavailable)
        #expect(late.error?.execution == .notRun)
        world.network.run(for: .seconds(2))
        #expect(call.isSuccess)
        #expect(drain.isOver)
        #expect(world.workers[0].server?.peers(on: world.loop).isEmpty == true)
    }

    @Test func `what is left at the deadline of a drain fails`() throws {
        let world = try ClientWorld()
        try world.warm()
        let client = world.client
        let call = world.call(Work.wait)
        let drain = world.start { await client.drain(deadline: .seconds(1)) }
        world.network.run(for: .seconds(2))
        #expect(drain.isOver)
        #expect(call.error?.code == .unavailable)
        #expect(call.error?.execution == .unknown)
        #expect(world.workers[0].cancelled == 1)
    }

    @Test(arguments: [Duration.seconds(1), .zero])
    func `a server's call that runs here ends by the deadline of a drain`(deadline: Duration) throws
    {
        let (world, witness, call) = try visited()
        let client = world.client
        let drain = world.start { await client.drain(deadline: deadline) }
        world.network.run(for: deadline / 2)
        #expect(drain.isOver)
        if deadline > .zero { #expect(!call.isOver) }
        world.network.run(for: .milliseconds(600))
        #expect(call.error?.code == .unavailable)
        #expect(witness.cancelled == 1)
        #expect(world.workers[0].server?.peers(on: world.loop).isEmpty == true)
    }

    @Test func `close waits for no server's call`() throws {
        let (world, witness, call) = try visited()
        let client = world.client
        try world.run { await client.close() }
        world.network.runUntilIdle()
        #expect(call.error?.code == .unavailable)
        #expect(witness.cancelled == 1)
    }

    /// A client that serves a call of its server's, which ends when it is cancelled.
    private func visited() throws -> (ClientWorld, Witness, Running<[UInt8]>) {
        let witness = Witness()
        let world = try ClientWorld(clientHandlers: RPCWorld.handlers(witness))
        try world.warm()
        let server = try #require(world.workers[0].server?.peers(on: world.loop).first)
        let call = world.start { try await server.call(Echo.wait, []) }
        world.network.runUntilIdle()
        #expect(witness.started == 1)
        return (world, witness, call)
    }

    @Test func `an idle client lets its connections go`() throws {
        let world = try ClientWorld { $0.pool.pool.idleTimeout = .seconds(60) }
        try world.warm()
        #expect(world.connections == 1)
        world.network.run(for: .seconds(70))
        #expect(world.connections == 0)
        #expect(world.workers[0].server?.peers(on: world.loop).isEmpty == true)
    }
}
