import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

/// What clients serve to the server they are connected to.
private enum Host: RPCService {
    static let serviceName = "test.Host"
    /// Calls ``Work/sleep`` of its caller.
    static let relay = unary("Relay", [UInt8].self, [UInt8].self)
}

@Suite("RPCClient, connections that were given up, simulated", .timeLimit(.minutes(10)))
struct GivenUpTests {
    /// Why a pool gives up a connection whose calls go on.
    enum Cause: CaseIterable {
        case goAway, idleness, age, removal, drain
    }

    private func makeWorld() throws -> (ClientWorld, Witness) {
        let witness = Witness()
        var handlers = RPCWorld.handlers(witness)
        handlers.handle(Host.relay, on: .loop) { request, context in
            try await context.connection.call(Work.sleep, request)
        }
        let world = try ClientWorld(clientHandlers: handlers) {
            $0.pool.pool.idleTimeout = .seconds(2)
            $0.pool.pool.lifetimeMax = .seconds(1_000)
        }
        return (world, witness)
    }

    /// Has the client's pool give its connection up.
    private func giveUp(_ world: ClientWorld, _ cause: Cause) throws {
        let (client, server) = (world.client, try #require(world.workers[0].server))
        switch cause {
        case .goAway: _ = world.start { await server.drain(deadline: .seconds(60)) }
        case .idleness, .age: break
        case .removal: _ = world.start { await client.remove("a", deadline: .seconds(60)) }
        case .drain: _ = world.start { await client.drain(deadline: .seconds(60)) }
        }
        world.network.run(for: .seconds(3))
        #expect(world.connections == 0)
    }

    @Test(arguments: Cause.allCases)
    func `what a handler here asks of its caller is answered still`(cause: Cause) throws {
        let (world, _) = try makeWorld()
        try world.warm()
        if cause == .age {
            // Never idle for long enough, until it is too old.
            for _ in 0..<999 {
                world.network.run(for: .seconds(1))
                try world.warm()
            }
        }
        world.workers[0].counts.withLock { $0.delay = .seconds(10) }
        let server = try #require(world.workers[0].server?.peers(on: world.loop).first)
        let call = world.start { try await server.call(Host.relay, []) }
        world.network.run(for: .milliseconds(10))
        try giveUp(world, cause)
        #expect(!call.isOver)
        world.network.run(for: .seconds(8))
        #expect(call.value == [UInt8(ascii: "a")])
        #expect(world.workers[0].server?.peers(on: world.loop).isEmpty == true)
    }

    @Test func `what a handler here asks of its caller ends by the deadline of a drain`() throws {
        let (world, _) = try makeWorld()
        try world.warm()
        world.workers[0].counts.withLock { $0.delay = .seconds(20) }
        let server = try #require(world.workers[0].server?.peers(on: world.loop).first)
        let call = world.start { try await server.call(Host.relay, []) }
        world.network.run(for: .milliseconds(10))
        let client = world.client
        _ = world.start { await client.drain(deadline: .seconds(2)) }
        world.network.run(for: .milliseconds(1_900))
        #expect(!call.isOver)
        world.network.run(for: .milliseconds(200))
        #expect(call.error?.code == .unavailable)
        #expect(world.workers[0].cancelled == 1)
    }
}
