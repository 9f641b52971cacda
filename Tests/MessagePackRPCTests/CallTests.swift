import MessagePack
import NetPoll
import NetPollTesting
import Testing

@testable import MessagePackRPC

@Suite("Calls in MessagePack-RPC")
struct CallTests {
    private let witness = Witness()

    private func world(
        seed: UInt64 = 0, faults: Faults = Faults(),
        _ configuration: MessagePackRPCConfiguration = .init()
    ) throws -> PeerWorld {
        try PeerWorld(
            seed: seed, faults: faults, configuration, handlers: .standard(witness))
    }

    @Test func `a call gives its result`() throws {
        let world = try world()
        let client = try world.connect()
        let sum = try world.run { try await client.call("add", 2, 3, returning: Int.self) }
        #expect(sum == 5)
        try world.run { try await client.call("nothing") }
        #expect(witness.all == ["nothing 1"])
        #expect(try world.run { try await client.call("nothing", returning: Int?.self) } == nil)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `many calls in flight each get their own answer`(seed: UInt64) throws {
        var faults = Faults()
        faults.shortReads = 0.3
        faults.shortWrites = 0.3
        let world = try world(seed: seed, faults: faults)
        let client = try world.connect()
        let sums = try world.run {
            try await withThrowingTaskGroup(of: (Int, Int).self) { tasks in
                for number in 0..<100 {
                    tasks.addTask {
                        (number, try await client.call("add", number, 1, returning: Int.self))
                    }
                }
                return try await tasks.reduce(into: [Int: Int]()) { $0[$1.0] = $1.1 }
            }
        }
        #expect(sums == Dictionary(uniqueKeysWithValues: (0..<100).map { ($0, $0 + 1) }))
    }

    @Test func `the server calls back while it serves`() throws {
        let world = try world()
        var handlers = MessagePackRPCHandlers()
        handlers.handle("upper", on: .loop) { parameters, _ in
            try parameters.decode(String.self).uppercased()
        }
        let client = try world.connect(handlers: handlers)
        let text = try world.run { try await client.call("relay", "abc", returning: String.self) }
        #expect(text == "ABC")
    }

    @Test func `a server calls each of its clients`() throws {
        let world = try world()
        var handlers = MessagePackRPCHandlers()
        handlers.handleOtherNotifications { [witness] _, context in
            witness.note("client got \(context.method)")
        }
        let client = try world.connect(handlers: handlers)
        try world.run { try await client.call("nothing") }
        try world.run { [server = world.server] in
            for connection in server.connections { try await connection.notify("news", 1) }
        }
        world.network.runUntilIdle()
        #expect(witness.all.last == "client got news")
        withExtendedLifetime(client) {}
    }

    @Test func `notifications arrive in order, and what does not fit is the handler's to drop`()
        throws
    {
        let world = try world()
        let client = try world.connect()
        try world.run {
            for number in 0..<5 { try await client.notify("note", "\(number)") }
            try await client.notify("note", 5)
            try await client.notify("unknown")
            try await client.call("nothing")
        }
        #expect(
            witness.all == [
                "note 0", "note 1", "note 2", "note 3", "note 4", "note unfit", "nothing 1",
            ])
    }

    @Test func `errors come across with their value`() throws {
        let world = try world()
        let client = try world.connect()
        let known = try failure(world) { try await client.call("fail", 7) }
        guard case .answered(let fault) = known.reason else {
            Issue.record("\(known)")
            return
        }
        #expect(try fault.decode(Numbered.self) == Numbered(code: 7, text: "no such thing"))
        #expect(known.description == "the peer answered: no such thing")
        #expect(known.mayHaveRun)
        let secret = try failure(world) { try await client.call("fail", Int?.none) }
        #expect(secret.reason == .answered(MessagePackRPCFault("the handler failed")))
    }

    @Test func `unknown methods and parameters that do not fit are answered`() throws {
        let world = try world()
        let client = try world.connect()
        #expect(
            try failure(world) { try await client.call("missing") }.reason
                == .answered(MessagePackRPCFault("no method missing")))
        for call in [
            { @Sendable in try await client.call("add", 1) },
            { @Sendable in try await client.call("add", 1, 2, 3) },
            { @Sendable in try await client.call("add", 1, "2") },
        ] as [@Sendable () async throws -> Void] {
            guard case .answered(let fault) = try failure(world, call).reason else {
                Issue.record("no answer")
                continue
            }
            #expect(fault.text?.hasPrefix("the parameters do not fit: ") == true)
        }
    }

    @Test func `a result of another type fails the call alone`() throws {
        let world = try world()
        let client = try world.connect()
        let error = try failure(world) {
            _ = try await client.call("add", 1, 2, returning: String.self)
        }
        guard case .undecodable = error.reason else {
            Issue.record("\(error)")
            return
        }
        #expect(try world.run { try await client.call("add", 1, 2, returning: Int.self) } == 3)
    }

    private func failure(
        _ world: PeerWorld, _ body: @escaping @Sendable () async throws -> Void
    ) throws -> MessagePackRPCError {
        try #require(throws: MessagePackRPCError.self) { try world.run(body) }
    }
}
