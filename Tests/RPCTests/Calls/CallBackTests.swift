import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

/// What clients serve to the server they are connected to.
private enum Visitor: RPCService {
    static let serviceName = "test.Visitor"
    static let count = serverStreaming("Count", [UInt8].self, [UInt8].self)
    static let gather = clientStreaming("Gather", [UInt8].self, [UInt8].self)
    static let mirror = bidirectional("Mirror", [UInt8].self, [UInt8].self)
    static let pour = serverStreaming("Pour", [UInt8].self, [UInt8].self)
}

private enum Relay: RPCService {
    static let serviceName = "test.Relay"
    /// Calls ``Echo/echo`` of its caller, and says nothing of a timeout.
    static let relay = unary("Relay", [UInt8].self, [UInt8].self)
}

@Suite("Calls of a server to its clients, simulated", .timeLimit(.minutes(10)))
struct CallBackTests {
    private static func handlers(_ witness: Witness) -> RPCHandlers {
        var handlers = RPCWorld.handlers(witness)
        handlers.handle(Visitor.count, on: .loop) { request, replies, _ in
            for number in request { try await replies.send([number]) }
        }
        handlers.handle(Visitor.gather, on: .loop) { requests, _ in
            var all: [UInt8] = []
            for try await request in requests { all += request }
            return all
        }
        handlers.handle(Visitor.mirror, on: .loop) { requests, replies, _ in
            for try await request in requests { try await replies.send(request) }
        }
        handlers.handle(Visitor.pour, on: .loop) { _, replies, _ in
            let message = [UInt8](repeating: 7, count: 16 << 10)
            while true {
                try await replies.send(message)
                witness.note { $0.started += 1 }
            }
        }
        return handlers
    }

    private struct Setup {
        let world: RPCWorld
        /// The client's end, and the server's.
        let client: RPCConnection
        let server: RPCConnection
        /// What the client's handlers saw.
        let witness = Witness()

        init() throws {
            var served = RPCWorld.handlers(Witness())
            served.handle(Relay.relay, on: .loop) { request, context in
                try await context.connection.call(Echo.echo, request)
            }
            world = try RPCWorld(handlers: served)
            client = try world.connect(handlers: CallBackTests.handlers(witness))
            try world.negotiate(client)
            server = try #require(world.server.peers(on: world.loop).first)
        }

        func expectNothingLeft() {
            world.network.runUntilIdle()
            let left = [client, server].map {
                $0.peer.core.outgoing.count + $0.peer.core.incoming.count
            }
            #expect(left == [0, 0])
        }
    }

    @Test func `streams go that way, too`() throws {
        let setup = try Setup()
        let server = setup.server
        let counted = try setup.world.run {
            try await server.call(Visitor.count, [1, 2, 3]) { numbers in
                var all: [UInt8] = []
                for try await number in numbers { all += number }
                return all
            }
        }
        #expect(counted == [1, 2, 3])
        let gathered = try setup.world.run {
            try await server.call(Visitor.gather) { numbers in
                for number in 1...3 as ClosedRange<UInt8> { try await numbers.send([number]) }
            }
        }
        #expect(gathered == [1, 2, 3])
        let mirrored = try setup.world.run {
            try await server.call(Visitor.mirror) { requests, replies in
                try await requests.send([7])
                requests.finish()
                var all: [UInt8] = []
                for try await reply in replies { all += reply }
                return all
            }
        }
        #expect(mirrored == [7])
        setup.expectNothingLeft()
    }

    @Test func `one-way calls go that way, too`() throws {
        let setup = try Setup()
        let server = setup.server
        for _ in 0..<3 { try setup.world.run { try await server.send(Echo.echo, [1]) } }
        setup.expectNothingLeft()
        #expect(setup.witness.started == 3)
    }

    @Test func `cancelling the server's caller cancels the client's handler`() throws {
        let setup = try Setup()
        let server = setup.server
        let call = setup.world.start { try await server.call(Echo.wait, []) }
        setup.world.network.runUntilIdle()
        #expect(setup.witness.started == 1)
        call.task?.cancel()
        setup.world.network.runUntilIdle()
        #expect(call.error?.code == .cancelled)
        #expect(setup.witness.cancelled == 1)
        setup.expectNothingLeft()
    }

    @Test func `a server that does not read holds the client's writer at its credit`() throws {
        let setup = try Setup()
        let server = setup.server
        let running = setup.world.start {
            try await server.call(Visitor.pour, []) { replies in
                var iterator = replies.makeAsyncIterator()
                _ = try await iterator.next()
                let (stream, continuation) = AsyncStream<Void>.makeStream()
                for await _ in stream {}
                withExtendedLifetime(continuation) {}
            }
        }
        setup.world.network.runUntilIdle()
        let written = setup.witness.started * (16 << 10)
        #expect(written >= 256 << 10)
        #expect(written <= (256 + 48) << 10)
        running.task?.cancel()
        setup.expectNothingLeft()
        #expect(running.isOver)
    }

    @Test func `a lost connection ends them, and says that they may have run`() throws {
        let setup = try Setup()
        let server = setup.server
        let call = setup.world.start { try await server.call(Echo.wait, []) }
        setup.world.network.runUntilIdle()
        setup.client.close()
        setup.world.network.runUntilIdle()
        #expect(call.error?.code == .unavailable)
        #expect(call.error?.execution == .unknown)
        #expect(setup.witness.cancelled == 1)
    }

    @Test func `a handler's own calls end by its caller's deadline`() throws {
        let setup = try Setup()
        let client = setup.client
        let end = setup.world.network.now + .seconds(2)
        _ = try setup.world.run {
            let options = CallOptions(timeout: .seconds(2))
            return try await client.call(Relay.relay, [1], options: options)
        }
        let seen = setup.witness.seen.withLock { $0.deadlines }
        #expect(seen.count == 1)
        // By default it were 30 s; the clocks of both sides are one here.
        let deadline = try #require(seen.last ?? nil)
        #expect(deadline - end < .milliseconds(2))
    }
}
