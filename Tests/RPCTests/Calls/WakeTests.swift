import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

/// What other threads hand to a loop that is held: it is the loop of no thread that takes part.
@Suite("Wakes of a loop", .timeLimit(.minutes(5)))
struct WakeTests {
    private static let callsCount = 64

    /// Where handlers wait, all of them, until they are let go at once.
    private final class Gate: Sendable {
        private let waiting = Mutex<[UnsafeContinuation<Void, Never>]>([])

        var count: Int { waiting.withLock { $0.count } }

        func wait() async {
            await withUnsafeContinuation { waiter in waiting.withLock { $0.append(waiter) } }
        }

        func open() {
            let waiters = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            for waiter in waiters { waiter.resume() }
        }
    }

    /// Gives the loop to a thread of its own that does nothing, so that this test's may be any.
    private func hold(_ loop: EventLoop, _ keeper: EventLoopGroup) async {
        await withCheckedContinuation { continuation in
            keeper.loops[0].execute {
                loop.bindToCurrentThread()
                continuation.resume()
            }
        }
    }

    private func makeKeeper() throws -> EventLoopGroup {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        return try EventLoopGroup(configuration: configuration)
    }

    /// Waits until so many items are there for the loop of `connection`'s side.
    private func wait(for mailbox: LoopMailbox) async {
        while mailbox.waitingCount < Self.callsCount { await Task.yield() }
    }

    @Test func `calls that other threads make in a burst wake the loop once`() async throws {
        let keeper = try makeKeeper()
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let loop = world.loop
        await hold(loop, keeper)
        let wakes = world.network.wakes
        let tasks = (0..<Self.callsCount).map { number in
            Task.detached { try await connection.call(Echo.inline, [UInt8(number)]) }
        }
        await wait(for: connection.peer.mailbox)
        #expect(world.network.wakes - wakes == 1)
        loop.bindToCurrentThread()
        let jobs = loop.metrics.jobs
        loop.turn(until: world.network.now)
        #expect(loop.metrics.jobs - jobs == 1)
        world.network.runUntilIdle()
        await hold(loop, keeper)
        for (number, task) in tasks.enumerated() {
            #expect(try await task.value == [UInt8(number)])
        }
        await keeper.shutdown()
    }

    @Test func `replies of handlers on the pool wake the loop once a burst`() async throws {
        let keeper = try makeKeeper()
        let gate = Gate()
        var handlers = RPCHandlers()
        handlers.handle(Echo.echo) { request, _ in
            await gate.wait()
            return request
        }
        handlers.handleBytesInline(Echo.inline) { request, _, reply in reply.append(request) }
        let world = try RPCWorld(handlers: handlers)
        let connection = try world.connect()
        _ = try world.run { try await connection.call(Echo.inline, []) }
        let calls = (0..<Self.callsCount).map { number in
            world.start { try await connection.call(Echo.echo, [UInt8(number)]) }
        }
        world.network.runUntilIdle()
        let loop = world.loop
        let mailbox = try #require(world.server.peers(on: loop).first).peer.mailbox
        await hold(loop, keeper)
        while gate.count < Self.callsCount { await Task.yield() }
        let wakes = world.network.wakes
        gate.open()
        await wait(for: mailbox)
        // The loop is told when the burst ends.
        while world.network.wakes == wakes { await Task.yield() }
        #expect(world.network.wakes - wakes == 1)
        loop.bindToCurrentThread()
        let (jobs, sends) = (loop.metrics.jobs, world.network.sends)
        loop.turn(until: world.network.now)
        #expect(loop.metrics.jobs - jobs == 1)
        #expect(world.network.sends - sends == 1)
        world.network.runUntilIdle()
        for (number, call) in calls.enumerated() { #expect(call.value == [UInt8(number)]) }
        await keeper.shutdown()
    }
}
