import MessagePack
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import MessagePackRPC

@Suite("Bounds and ends of MessagePack-RPC")
struct BoundsTests {
    private let witness = Witness()

    private func world(_ configuration: MessagePackRPCConfiguration = .init()) throws -> PeerWorld {
        try PeerWorld(configuration, handlers: .standard(witness))
    }

    private func failure(
        _ world: PeerWorld, _ body: @escaping @Sendable () async throws -> Void
    ) throws -> MessagePackRPCError {
        try #require(throws: MessagePackRPCError.self) { try world.run(body) }
    }

    @Test func `a call ends at its deadline, and a late answer is dropped`() throws {
        let world = try world()
        let client = try world.connect()
        let before = world.loop.now
        let error = try failure(world) {
            try await client.call("wait", timeout: .milliseconds(250))
        }
        #expect(error.reason == .deadlineExceeded)
        #expect(error.mayHaveRun)
        #expect(world.loop.now - before == .milliseconds(250))
        #expect(try world.run { try await client.call("add", 1, 2, returning: Int.self) } == 3)
    }

    @Test func `a call that says no timeout has the configured one`() throws {
        let world = try world()
        var configuration = MessagePackRPCConfiguration()
        configuration.callTimeout = .seconds(2)
        let client = try world.connect(configuration)
        let before = world.loop.now
        let error = try failure(world) { try await client.call("wait") }
        #expect(error.reason == .deadlineExceeded)
        #expect(world.loop.now - before == .seconds(2))
    }

    @Test func `a cancelled task waits no longer`() throws {
        let world = try world()
        let client = try world.connect()
        let running = world.start { try await client.call("wait") }
        _ = world.network.run(within: .seconds(5)) { witness.all == ["waits"] }
        #expect(running.result == nil)
        running.cancel()
        _ = world.network.run(within: .seconds(5)) { running.result != nil }
        #expect(running.error?.reason == .cancelled)
        #expect(running.error?.mayHaveRun == true)
    }

    @Test func `calls in flight are bounded`() throws {
        let world = try world()
        var configuration = MessagePackRPCConfiguration()
        configuration.callsInFlightMax = 2
        let client = try world.connect(configuration)
        let waiting = (0..<2).map { _ in world.start { try await client.call("wait") } }
        _ = world.network.run(within: .seconds(5)) { witness.all.count == 2 }
        let error = try failure(world) { try await client.call("nothing") }
        #expect(error.reason == .tooManyCalls(limit: 2))
        #expect(!error.mayHaveRun)
        waiting[0].cancel()
        _ = world.network.run(within: .seconds(5)) { waiting[0].result != nil }
        try world.run { try await client.call("nothing") }
    }

    @Test func `requests that run at once are bounded`() throws {
        var configuration = MessagePackRPCConfiguration()
        configuration.requestsInFlightMax = 1
        let world = try world(configuration)
        let client = try world.connect()
        let waiting = world.start { try await client.call("wait") }
        _ = world.network.run(within: .seconds(5)) { witness.all.count == 1 }
        let error = try failure(world) { try await client.call("nothing") }
        #expect(
            error.reason == .answered(MessagePackRPCFault("more than 1 requests at once")))
        #expect(waiting.result == nil)
    }

    @Test func `messages are bounded both ways`() throws {
        var configuration = MessagePackRPCConfiguration()
        configuration.messageBytesMax = 1_000
        let world = try world(configuration)
        let small = try world.connect(configuration)
        let text = String(repeating: "a", count: 1_000)
        let sent = try failure(world) { try await small.call("nothing", text) }
        #expect(sent.reason == .oversizedMessage(bytes: 1_015, limit: 1_000))
        #expect(!sent.mayHaveRun)
        let answer = try failure(world) {
            _ = try await small.call("bytes", 1_000, returning: [UInt8].self)
        }
        #expect(
            answer.reason
                == .answered(MessagePackRPCFault("an answer of 1007 bytes exceeds 1000")))
        let large = try world.connect()
        let received = try failure(world) { try await large.call("nothing", text) }
        guard case .closed = received.reason else {
            Issue.record("\(received)")
            return
        }
        #expect(received.mayHaveRun)
        // Of the others nothing was lost.
        try world.run { try await small.call("nothing") }
    }

    @Test func `calls end when the connection does, and handlers are cancelled`() throws {
        let world = try world()
        let client = try world.connect()
        let running = world.start { try await client.call("wait") }
        _ = world.network.run(within: .seconds(5)) { witness.all == ["waits"] }
        client.close()
        _ = world.network.run(within: .seconds(5)) { running.result != nil }
        #expect(running.error?.reason == .closed(.local))
        _ = world.network.run(within: .seconds(5)) { witness.all.count == 2 }
        #expect(witness.all == ["waits", "waited"])
        let error = try failure(world) { try await client.call("nothing") }
        #expect(error.reason == .closed(nil))
        #expect(!error.mayHaveRun)
    }

    @Test func `draining answers what runs and takes no more`() throws {
        let world = try world()
        let client = try world.connect()
        let running = world.start { try await client.call("wait", timeout: .seconds(60)) }
        _ = world.network.run(within: .seconds(5)) { witness.all == ["waits"] }
        let before = world.loop.now
        let drained = world.start { [server = world.server] in
            await server.drain(deadline: .seconds(3))
        }
        world.network.runUntilIdle()
        let error = try failure(world) { try await client.call("nothing") }
        #expect(
            error.reason == .answered(MessagePackRPCFault("no more requests are taken")))
        _ = world.network.run(within: .seconds(30)) { drained.result != nil }
        #expect(world.loop.now - before == .seconds(3))
        _ = world.network.run(within: .seconds(5)) { running.result != nil }
        #expect(running.error?.mayHaveRun == true)
    }

    @Test func `a client that drains ends the connection after its last call`() throws {
        let world = try world()
        let client = try world.connect()
        let running = world.start { try await client.call("wait", timeout: .seconds(2)) }
        _ = world.network.run(within: .seconds(1)) { witness.all == ["waits"] }
        client.drain()
        _ = world.network.run(within: .milliseconds(100)) { false }
        #expect(world.server.connections.count == 1)
        _ = world.network.run(within: .seconds(5)) { running.result != nil }
        #expect(running.error?.reason == .deadlineExceeded)
        _ = world.network.run(within: .seconds(5)) { world.server.connections.isEmpty }
        #expect(world.server.connections.isEmpty)
    }

    @Test func `a task that was cancelled before its call came to the loop does not hang`() throws {
        let world = try world()
        let client = try world.connect()
        let running = world.start {
            await withTaskGroup(of: MessagePackRPCError?.self) { tasks in
                for _ in 0..<10 {
                    tasks.addTask {
                        do {
                            try await client.call("wait")
                            return nil
                        } catch {
                            return error as? MessagePackRPCError
                        }
                    }
                }
                tasks.cancelAll()
                return await tasks.reduce(into: [MessagePackRPCError.Reason?]()) {
                    $0.append($1?.reason)
                }
            }
        }
        _ = world.network.run(within: .seconds(5)) { running.result != nil }
        let reasons = try #require(running.result).get()
        #expect(reasons == Array(repeating: .cancelled, count: 10))
    }

    @Test func `a server without requests drains at once`() throws {
        let world = try world()
        let client = try world.connect()
        try world.run { try await client.call("nothing") }
        let before = world.loop.now
        try world.run { [server = world.server] in await server.drain(deadline: .seconds(3)) }
        #expect(world.loop.now - before < .seconds(1))
        #expect(world.server.connections.isEmpty)
    }

    @Test func `a turn of draining ends, and aborts, no more than the loop's bound`() throws {
        let world = try PeerWorld(handlers: .init(), closesPerTurnMax: 4)
        let peers = try (0..<21).map { _ in
            try #require(world.network.connect(to: world.address))
        }
        world.network.runUntilIdle()
        #expect(world.server.connections.count == 21)
        var (ended, reset) = ([0], [0])
        world.network.runTurn = { [unowned world] loop in
            loop.turn(until: world.network.now)
            ended.append(peers.count(where: \.isEnded))
            reset.append(peers.count(where: \.isReset))
        }
        func steps(_ counts: [Int]) -> [Int] { zip(counts, counts.dropFirst()).map { $1 - $0 } }
        let drain = world.start { [server = world.server] in
            await server.drain(deadline: .seconds(2))
        }
        world.network.runUntilIdle()
        #expect(peers.allSatisfy(\.isEnded) && steps(ended).max() == 4)
        #expect(drain.result == nil)
        world.network.run(for: .seconds(3))
        #expect(drain.result != nil)
        #expect(peers.allSatisfy(\.isReset) && steps(reset).max() == 4)
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `no call hangs or ends twice whatever the network does`(seed: UInt64) throws {
        var faults = Faults()
        faults.shortReads = 0.2
        faults.shortWrites = 0.2
        faults.resets = 0.02
        let world = try PeerWorld(
            seed: seed, faults: faults, .init(), handlers: .standard(witness))
        let running = world.start { [address = world.address, loop = world.loop] in
            let client = try await MessagePackRPCConnection.connect(to: address, on: loop)
            return await withTaskGroup(of: Bool.self) { tasks in
                for number in 0..<50 {
                    tasks.addTask {
                        // Whether it ends well is the network's choice; that it ends is not.
                        let sum = try? await client.call("add", number, 1, returning: Int.self)
                        return sum == nil || sum == number + 1
                    }
                }
                return await tasks.reduce(true) { $0 && $1 }
            }
        }
        _ = world.network.run(within: .seconds(60)) { running.result != nil }
        switch running.result {
        case nil: Issue.record("seed \(seed): a call hangs")
        case .success(let areRight): #expect(areRight, "seed \(seed)")
        case .failure(let error): #expect(error is ConnectError, "seed \(seed): \(error)")
        }
    }

    @Test func `a peer that sends no more is called no more`() throws {
        var configuration = MessagePackRPCConfiguration()
        configuration.callTimeout = nil
        let (gate, opened) = AsyncStream<Void>.makeStream()
        let refused = Mutex<MessagePackRPCError?>(nil)
        var handlers = MessagePackRPCHandlers()
        handlers.handle("relay", on: .loop) { _, context in
            for await _ in gate {}
            do {
                try await context.connection.call("nothing")
            } catch let error as MessagePackRPCError {
                refused.withLock { $0 = error }
            }
        }
        let world = try PeerWorld(configuration, handlers: handlers)
        let peer = try #require(world.network.connect(to: world.address))
        // [0, 1, "relay", []]
        peer.send([0x94, 0x00, 0x01, 0xa5] + Array("relay".utf8) + [0x90])
        world.network.runUntilIdle()
        peer.sendEnd()
        world.network.runUntilIdle()
        opened.finish()
        world.network.run(for: .seconds(3_600))
        #expect(refused.withLock { $0?.reason } == .closed(.peer))
        #expect(refused.withLock { $0?.mayHaveRun } == false)
        // [1, 1, nil, nil]
        #expect(peer.takeReceived() == [0x94, 0x01, 0x01, 0xc0, 0xc0])
        #expect(world.server.connections.isEmpty)
    }

    @Test func `a long message leaves no memory behind on either side`() throws {
        let world = try world()
        let client = try world.connect()
        let text = String(repeating: "a", count: 1 << 20)
        try world.run { try await client.call("nothing", text) }
        let server = try #require(world.server.connections.first)
        #expect(client.peer.heldBytes < 100 << 10 && server.peer.heldBytes < 100 << 10)
        _ = try world.run { try await client.call("bytes", 1 << 20, returning: [UInt8].self) }
        #expect(client.peer.heldBytes < 100 << 10 && server.peer.heldBytes < 100 << 10)
        #expect(try world.run { try await client.call("add", 1, 2, returning: Int.self) } == 3)
    }
}
