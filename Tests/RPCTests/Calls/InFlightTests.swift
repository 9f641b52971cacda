import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("Calls in flight on a connection, simulated", .timeLimit(.minutes(10)))
struct InFlightTests {
    private struct Setup {
        let world: RPCWorld
        let connection: RPCConnection

        init(
            inFlight: Int, whenFull: RPCConfiguration.FullPolicy = .wait(callsMax: 10)
        ) throws {
            var configuration = RPCConfiguration()
            configuration.outgoingCallsMax = inFlight
            configuration.whenFull = whenFull
            world = try RPCWorld()
            connection = try world.connect(configuration)
            try world.negotiate(connection)
        }

        func call(
            _ method: UnaryMethod<[UInt8], [UInt8]>, timeout: Duration = .seconds(20)
        ) -> Running<[UInt8]> {
            let connection = connection
            let running = world.start {
                try await connection.call(method, [7], options: CallOptions(timeout: timeout))
            }
            world.network.runUntilIdle()
            return running
        }

        func snapshot() throws -> RPCConnectionSnapshot {
            let connection = connection
            return try world.run { await connection.snapshot() }
        }
    }

    /// Where a handler waits until it is let go.
    private final class Seat: Sendable {
        let waiting = Mutex<UnsafeContinuation<Void, Never>?>(nil)
    }

    @Test func `a call that waits for its turn ends at its deadline, and leaves its place`() throws
    {
        let setup = try Setup(inFlight: 1)
        let first = setup.call(Echo.wait)
        let late = setup.call(Echo.echo, timeout: .seconds(1))
        let next = setup.call(Echo.echo)
        setup.world.network.run(for: .milliseconds(999))
        #expect(!late.isOver)
        setup.world.network.run(for: .milliseconds(2))
        #expect(late.error?.code == .deadlineExceeded)
        #expect(late.error?.execution == .notRun)
        #expect(!first.isOver && !next.isOver)
        #expect(try setup.snapshot().waiting == 1)
        first.task?.cancel()
        setup.world.network.runUntilIdle()
        #expect(next.value == [7])
        // The first one of all, the one to negotiate, and the last.
        #expect(setup.world.witness.started == 3)
    }

    @Test func `what is in flight, waits and was refused can be seen, on both sides`() throws {
        let setup = try Setup(inFlight: 2, whenFull: .wait(callsMax: 1))
        var expected = RPCConnectionSnapshot(inFlightMax: 2)
        #expect(try setup.snapshot() == expected)
        let calls = (0..<4).map { _ in setup.call(Echo.wait, timeout: .seconds(1)) }
        #expect(calls[3].error?.code == .resourceExhausted)
        (expected.inFlight, expected.waiting, expected.refused) = (2, 1, 1)
        #expect(try setup.snapshot() == expected)
        let server = try #require(setup.world.server.peers(on: setup.world.loop).first)
        let served = try setup.world.run { await server.snapshot().served }
        #expect(served == 2)
        setup.world.network.run(for: .seconds(2))
        #expect(calls.allSatisfy { $0.isOver })
        (expected.inFlight, expected.waiting) = (0, 0)
        #expect(try setup.snapshot() == expected)
    }

    @Test func `without a place to wait, a call fails at once and is counted`() throws {
        let setup = try Setup(inFlight: 1, whenFull: .fail)
        let first = setup.call(Echo.wait)
        for refused in 1...3 {
            let call = setup.call(Echo.echo)
            #expect(call.error?.code == .resourceExhausted)
            #expect(try setup.snapshot().refused == refused)
        }
        first.task?.cancel()
        setup.world.network.runUntilIdle()
        #expect(setup.call(Echo.echo).value == [7])
    }

    @Test func `the lower bound of both sides is the one that is seen`() throws {
        var configuration = RPCConfiguration()
        configuration.incomingCallsMax = 3
        let world = try RPCWorld(configuration: configuration)
        let connection = try world.connect()
        let before = try world.run { await connection.snapshot() }
        #expect(before.inFlightMax == 1_024)
        try world.negotiate(connection)
        let after = try world.run { await connection.snapshot() }
        #expect(after.inFlightMax == 3)
    }

    @Test func `a call that was given up counts until its handler has ended`() throws {
        // Takes no notice of its cancellation.
        let seat = Seat()
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Echo.missing, on: .loop) { request, _ in
            await withUnsafeContinuation { waiter in seat.waiting.withLock { $0 = waiter } }
            return request
        }
        var configuration = RPCConfiguration()
        configuration.incomingCallsMax = 1
        let world = try RPCWorld(configuration: configuration, handlers: handlers)
        let connection = try world.connect()
        let stubborn = world.start { try await connection.call(Echo.missing, []) }
        world.network.runUntilIdle()
        stubborn.task?.cancel()
        world.network.runUntilIdle()
        #expect(stubborn.error?.code == .cancelled)
        let refused = world.start { try await connection.call(Echo.echo, []) }
        world.network.runUntilIdle()
        #expect(refused.error?.code == .resourceExhausted)
        let waiter = try #require(seat.waiting.withLock { $0.take() })
        waiter.resume()
        world.network.runUntilIdle()
        #expect(try world.run { try await connection.call(Echo.echo, [7]) } == [7])
    }

    @Test func `the longest timeout of a call is for ever, and not the connection's`() throws {
        let setup = try Setup(inFlight: 10)
        let call = setup.call(Echo.wait, timeout: .seconds(Int64.max))
        setup.world.network.run(for: .seconds(3_600))
        #expect(!call.isOver)
        call.task?.cancel()
        setup.world.network.runUntilIdle()
        #expect(call.error?.code == .cancelled)
    }

    @Test func `calls that wait when the last id is used are told that they were not run`() throws {
        let setup = try Setup(inFlight: 1)
        let first = setup.call(Echo.wait)
        let last = setup.call(Echo.echo)
        let waiting = [setup.call(Echo.echo), setup.call(Echo.echo)]
        setup.connection.peer.core.nextID = .max
        first.task?.cancel()
        setup.world.network.runUntilIdle()
        #expect(last.value == [7])
        for call in waiting + [setup.call(Echo.echo)] {
            #expect(call.error?.code == .unavailable)
            #expect(call.error?.execution == .notRun)
        }
    }

    @Test func `calls that wait when their client drains are made before it ends`() throws {
        let setup = try Setup(inFlight: 1)
        setup.world.network.faults.delayMin = .milliseconds(10)
        let calls = (0..<4).map { _ in
            setup.world.start { [connection = setup.connection] in
                try await connection.call(Echo.echo, [7])
            }
        }
        setup.world.network.run(for: .milliseconds(5))
        setup.connection.drain()
        setup.world.network.run(for: .seconds(1))
        #expect(calls.map(\.value) == Array(repeating: [7], count: 4))
        #expect(setup.connection.peer.isClosed)
        #expect(setup.world.server.peers(on: setup.world.loop).isEmpty)
    }
}
