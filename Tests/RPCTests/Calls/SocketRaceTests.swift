import NetPoll
import Testing

@testable import RPC

@Suite("Calls that end in two ways at once, real sockets", .timeLimit(.minutes(5)))
struct SocketRaceTests {
    /// Of a connection nothing may be left on either side, once the server has seen all of it.
    private func expectNothingLeft(
        _ world: SocketWorld, _ connection: RPCConnection
    ) async throws {
        // What was sent before it is handled when it is answered.
        let reply = try await connection.call(Echo.inline, [7])
        #expect(reply == [7])
        for peer in await world.peers() {
            await world.wait { await world.calls(of: peer) == 0 }
        }
        let left = await world.calls(of: connection)
        #expect(left == 0)
        let isEmpty = await connection.loop.run {
            connection.peer.pending.allSatisfy { $0 == nil }
        }
        #expect(isEmpty == true)
    }

    @Test func `ten thousand deadlines at one moment all end their calls`() async throws {
        let count = 10_000
        var configuration = RPCConfiguration()
        configuration.outgoingCallsMax = count
        // One more for what asks in the end whether all is over.
        configuration.incomingCallsMax = count + 1
        let world = try await SocketWorld(configuration: configuration)
        let connection = try await world.connect(configuration)
        _ = try await connection.call(Echo.inline, [])
        let deadline = connection.loop.clock.now + .seconds(2)
        let codes = await RPCDeadline.$current.withValue(deadline) {
            await withTaskGroup(of: StatusCode.self) { tasks in
                for _ in 0..<count {
                    tasks.addTask {
                        do throws(RPCError) {
                            _ = try await connection.call(Echo.wait, [])
                            return .ok
                        } catch {
                            return error.code
                        }
                    }
                }
                return await tasks.reduce(into: [StatusCode: Int]()) { $0[$1, default: 0] += 1 }
            }
        }
        #expect(codes == [.deadlineExceeded: count])
        try await expectNothingLeft(world, connection)
        #expect(world.witness.started > 0)
        await world.wait { world.witness.cancelled == world.witness.started }
        connection.close()
        await world.close()
    }

    private enum Outcome: Hashable {
        case answered
        case cancelled
        case wrong
    }

    /// Calls, and cancels the call after so many yields, sooner or later than its reply.
    private func race(
        _ connection: RPCConnection, _ request: [UInt8], yields: Int
    ) async -> Outcome {
        let call = Task { try await connection.call(Echo.echo, request) }
        for _ in 0..<yields { await Task.yield() }
        call.cancel()
        do {
            return try await call.value == request ? .answered : .wrong
        } catch {
            return (error as? RPCError)?.code == .cancelled ? .cancelled : .wrong
        }
    }

    @Test func `a cancellation that races the reply ends its call once, in one way or the other`()
        async throws
    {
        let (workers, callsEach) = (8, 500)
        var configuration = RPCConfiguration()
        // A call that was given up counts until its handler has ended, however busy the server is.
        configuration.incomingCallsMax = workers * callsEach + 2
        let world = try await SocketWorld(configuration: configuration)
        let connection = try await world.connect()
        _ = try await connection.call(Echo.inline, [])
        let outcomes = await withTaskGroup(of: [Outcome].self) { tasks in
            for worker in 0..<workers {
                tasks.addTask {
                    var outcomes: [Outcome] = []
                    for number in 0..<callsEach {
                        let request = [UInt8(worker), UInt8(number & 0xff)]
                        outcomes.append(await race(connection, request, yields: number % 20))
                    }
                    return outcomes
                }
            }
            return await tasks.reduce(into: [Outcome: Int]()) { counts, outcomes in
                for outcome in outcomes { counts[outcome, default: 0] += 1 }
            }
        }
        #expect(outcomes[.wrong] == nil)
        let ended = outcomes.values.reduce(0, +)
        #expect(ended == workers * callsEach)
        try await expectNothingLeft(world, connection)
        connection.close()
        await world.close()
    }

    @Test func `the answer to a call that was cancelled reaches no other`() async throws {
        let world = try await SocketWorld()
        let (connection, server) = try await world.connectToPeer()
        async let hello = connection.call(Echo.echo, [])
        try await server.acceptNegotiation()
        _ = try await hello
        for number in 0..<100 as Range<UInt8> {
            let call = Task { try await connection.call(Echo.echo, [number]) }
            let given = try await server.frame(.request).header.stream
            call.cancel()
            let error = await failure { try await call.value }
            #expect(error?.code == .cancelled)
            #expect(error?.execution == .unknown)
            // Its answer was on its way when the cancellation came.
            async let next = connection.call(Echo.echo, [number])
            let cancel = try await server.frame(.cancel)
            #expect(cancel.header.stream == given)
            let taken = try await server.frame(.request).header.stream
            try await server.send(Sample.response(given, [1, 1]), Sample.response(taken, [number]))
            let reply = try await next
            #expect(reply == [number])
        }
        let left = await world.calls(of: connection)
        #expect(left == 0)
        server.abort()
        await world.close()
    }
}
