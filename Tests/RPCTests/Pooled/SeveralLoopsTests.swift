import ConnPool
import NetPoll
import Testing

@testable import RPC

@Suite("Several loops on both sides, real sockets", .timeLimit(.minutes(5)))
struct SeveralLoopsTests {
    @Test func `calls of all connections are counted together, and a drain ends all of them`()
        async throws
    {
        let (callers, callsEach) = (24, 50)
        let world = try await SocketWorld(loops: 3)
        var configuration = RPCClientConfiguration()
        // So that there are several connections, on every loop of the client's.
        configuration.connection.outgoingCallsMax = 4
        configuration.pool.pool.connectionsMax = 6
        let client = RPCClient(
            to: .address(world.address), on: world.calling.loops, configuration: configuration)
        try await withThrowingTaskGroup { tasks in
            for caller in 0..<callers {
                tasks.addTask {
                    for number in 0..<callsEach {
                        let request = [UInt8(caller), UInt8(number)]
                        let reply = try await client.call(Echo.echo, request)
                        #expect(reply == request)
                    }
                }
            }
            try await tasks.waitForAll()
        }
        #expect(world.witness.started == callers * callsEach)
        let statistics = await world.server.statistics()
        let echo = try #require(statistics.first { $0.name == Echo.echo.name })
        let all = callers * callsEach
        #expect([echo.started, echo.ended, echo.failed] == [all, all, 0])
        let connections = await world.peers().count
        #expect((2...6).contains(connections))
        await world.server.drain(deadline: .seconds(10))
        let left = await world.peers().count
        #expect(left == 0)
        #expect(client.snapshot.inFlight == 0)
        await client.close()
        await world.close()
    }
}
