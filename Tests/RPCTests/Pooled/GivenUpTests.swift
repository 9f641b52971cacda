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

    /// How a client ends.
    enum End: CaseIterable {
        case drain, close
    }

    @Test(arguments: Cause.allCases, End.allCases)
    func `a server's call ends with the client, although its connection was given up before`(
        cause: Cause, end: End
    ) throws {
        guard cause != .age else { return }
        let (world, witness) = try makeWorld()
        try world.warm()
        let server = try #require(world.workers[0].server?.peers(on: world.loop).first)
        let call = world.start { try await server.call(Echo.wait, []) }
        world.network.run(for: .milliseconds(10))
        try giveUp(world, cause)
        #expect(witness.started == 1 && !call.isOver)
        let client = world.client
        switch end {
        case .drain:
            let drain = world.start { await client.drain(deadline: .seconds(2)) }
            world.network.run(for: .milliseconds(1_900))
            #expect(drain.isOver && !call.isOver)
            world.network.run(for: .milliseconds(200))
        case .close:
            try world.run { await client.close() }
            world.network.run(for: .milliseconds(10))
        }
        #expect(call.error?.code == .unavailable)
        #expect(witness.cancelled == 1)
        #expect(world.workers[0].server?.peers(on: world.loop).isEmpty == true)
    }

    @Test(arguments: [false, true])
    func `a server's call ends when the client is let go, or by the deadline of its drain`(
        drains: Bool
    ) throws {
        let (world, witness) = try makeWorld()
        var configuration = RPCClientConfiguration()
        configuration.pool.pool.idleTimeout = .seconds(2)
        var client: RPCClient? = RPCClient(
            to: .address(world.addresses[0]), on: [world.loop], configuration: configuration,
            handlers: RPCWorld.handlers(witness))
        _ = try world.run { [client] in try await client?.call(Work.name, []) }
        let server = try #require(world.workers[0].server?.peers(on: world.loop).first)
        let call = world.start { try await server.call(Echo.wait, []) }
        world.network.run(for: .seconds(3))
        #expect(client?.snapshot.pool.entries[0].pool.connections == 0)
        #expect(witness.started == 1 && !call.isOver)
        if drains {
            let drain = world.start { [client] in await client?.drain(deadline: .seconds(2)) }
            world.network.run(for: .milliseconds(10))
            #expect(drain.isOver)
        }
        client = nil
        world.network.run(for: .milliseconds(1_900))
        #expect(call.isOver != drains)
        world.network.run(for: .milliseconds(100))
        #expect(call.error?.code == .unavailable)
        #expect(witness.cancelled == 1)
    }
}
