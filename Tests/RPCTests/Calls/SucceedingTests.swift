import Glibc
import NetPoll
import NetPollTesting
import Testing

@testable import RPC

@Suite("A server that another succeeds", .timeLimit(.minutes(5)))
struct SucceedingTests {
    @Test func `who was accepted last is waited for, and served`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        let stop = world.start { [server = world.server] in await server.stopAccepting() }
        world.network.run(for: .milliseconds(400))
        #expect(!stop.isOver)
        #expect(throws: (any Error).self) { try world.connect() }
        let reply = try world.run { try await connection.call(Echo.echo, [7]) }
        #expect(reply == [7])
        world.network.run(for: .milliseconds(10))
        #expect(stop.isOver)
        try world.run { [server = world.server] in await server.drain(deadline: .seconds(1)) }
    }

    @Test func `who calls nothing is waited for no longer than patience says`() throws {
        let world = try RPCWorld()
        _ = try world.connect()
        let stop = world.start { [server = world.server] in
            await server.stopAccepting(within: .milliseconds(300))
        }
        world.network.run(for: .milliseconds(295))
        #expect(!stop.isOver)
        world.network.run(for: .milliseconds(10))
        #expect(stop.isOver)
        try world.run { [server = world.server] in await server.drain(deadline: .seconds(1)) }
    }

    @Test func `nobody is waited for on a loop that is shut down meanwhile`() throws {
        let world = try RPCWorld(loops: 2)
        for _ in 0..<4 { _ = try world.connect() }
        let stop = world.start { [server = world.server] in
            await server.stopAccepting(within: .seconds(1))
        }
        world.network.run(for: .milliseconds(10))
        let loop = world.group.loops[1]
        #expect(world.server.shards.shard(of: loop).awaitsFirstCall)
        loop.execute { loop.shutDown() }
        world.network.run(for: .milliseconds(900))
        #expect(!stop.isOver)
        world.network.run(for: .milliseconds(100))
        #expect(stop.isOver)
    }

    @Test func `who has called is not waited for`() throws {
        let world = try RPCWorld()
        try world.negotiate(world.connect())
        let start = world.network.now
        try world.run { [server = world.server] in await server.stopAccepting() }
        #expect(world.network.now == start)
    }

    @Test func `a server goes on at the sockets of another`() async throws {
        let world = try await SocketWorld(loops: 2)
        let sockets = await world.server.listenerDescriptors()
        #expect(sockets.count == 2)
        let copies = try sockets.map { try Platform.duplicate($0) }
        let heir = RPCServer(group: world.calling, handlers: RPCWorld.handlers(world.witness))
        await world.server.stopAccepting()
        await world.server.drain(deadline: .seconds(5))
        let address = try await heir.listen(adopting: copies)
        #expect(address == world.address)
        let connection = try await world.connect()
        let reply = try await connection.call(Echo.echo, [1, 2])
        #expect(reply == [1, 2])
        await heir.drain(deadline: .seconds(5))
        await world.close()
    }

    @Test func `the file of a Unix socket of somebody else stays`() async throws {
        let path = "/tmp/rpc-adopted-\(UInt64.random(in: 0...(.max)))"
        let world = try await SocketWorld()
        let owner = try await world.calling.listen(on: .unix(path: path)) { _, _ in
            preconditionFailure("nobody connects")
        }
        let sockets = try await owner.descriptors().map { try Platform.duplicate($0) }
        try await world.server.listen(adopting: sockets)
        await world.server.drain(deadline: .seconds(5))
        #expect(access(path, F_OK) == 0)
        await owner.close()
        #expect(access(path, F_OK) == -1)
        await world.close()
    }
}
