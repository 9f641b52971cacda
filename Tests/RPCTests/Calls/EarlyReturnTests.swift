import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

private enum Hasty: RPCService {
    static let serviceName = "test.Hasty"
    /// Reads as many messages as the first one says, or all where that is 0, and returns.
    static let read = bidirectional("Read", [UInt8].self, [UInt8].self)
    /// As that, and fails.
    static let fail = bidirectional("Fail", [UInt8].self, [UInt8].self)
    /// Ends its replies at once, and reads as `read` does.
    static let listen = bidirectional("Listen", [UInt8].self, [UInt8].self)
    /// Returns while a task of its own still sends.
    static let leave = bidirectional("Leave", [UInt8].self, [UInt8].self)
}

/// What a server and a client know of each other when a call begins.
enum Acquaintance: CaseIterable, Sendable {
    /// Neither knows the extensions.
    case plain
    /// The settings come while the call runs, whose data are not counted.
    case new
    case negotiated
}

@Suite("Handlers that return before their callers' end, simulated", .timeLimit(.minutes(10)))
struct EarlyReturnTests {
    /// After two more like it a handler has read enough.
    private static let message = [UInt8](repeating: 3, count: 10_000)

    private static func handlers(_ reads: Reads) -> RPCHandlers {
        @Sendable func read(_ requests: RPCInbound<[UInt8]>) async throws {
            var (count, most) = (0, 0)
            for try await request in requests {
                reads.count.withLock { $0 += 1 }
                if count == 0, let first = request.first { most = Int(first) }
                count += 1
                if count == most { break }
            }
        }
        var handlers = RPCHandlers()
        handlers.handle(Hasty.read, on: .loop) { requests, _, _ in try await read(requests) }
        handlers.handle(Hasty.fail, on: .loop) { requests, _, _ in
            try await read(requests)
            throw RPCError(.outOfRange, "enough")
        }
        handlers.handle(Hasty.listen, on: .loop) { requests, replies, _ in
            replies.finish()
            try await read(requests)
        }
        handlers.handle(Hasty.leave, on: .loop) { requests, replies, context in
            Task(executorPreference: context.connection.loop) {
                while true { try await replies.send([UInt8](repeating: 1, count: 20_000)) }
            }
            try await read(requests)
        }
        handlers.handle(Echo.echo, on: .loop) { request, _ in request }
        return handlers
    }

    private final class Reads: Sendable {
        let count = Mutex(0)
    }

    private func makeWorld(
        _ acquaintance: Acquaintance, _ change: (inout RPCConfiguration) -> Void = { _ in }
    ) throws -> (RPCWorld, RPCConnection, Reads) {
        var configuration = RPCConfiguration()
        change(&configuration)
        configuration.negotiatesExtensions = acquaintance != .plain
        configuration.callTimeout = .seconds(60)
        let reads = Reads()
        let world = try RPCWorld(
            configuration: configuration, handlers: Self.handlers(reads))
        let connection = try world.connect(configuration)
        if acquaintance == .negotiated { try world.negotiate(connection) }
        return (world, connection, reads)
    }

    /// Nothing is left of calls on either side, and the connection's whole credit is there.
    private func expectNothingLeft(_ world: RPCWorld, _ connection: RPCConnection) throws {
        world.network.runUntilIdle()
        let server = try #require(world.server.peers(on: world.loop).first)
        for peer in [connection.peer, server.peer] {
            let calls = peer.core.outgoing.count + peer.core.incoming.count
            #expect(calls == 0)
            let credit = peer.core.receiveCredit + peer.core.consumed
            #expect(credit == Int(peer.core.limits.settings.connectionCredit))
        }
        let reply = try world.run { try await connection.call(Echo.echo, [1]) }
        #expect(reply == [1])
    }

    @Test(arguments: Acquaintance.allCases, [Hasty.read, Hasty.listen])
    func `a caller that only sends is told when the handler has returned`(
        acquaintance: Acquaintance, method: BidirectionalMethod<[UInt8], [UInt8]>
    ) throws {
        let (world, connection, reads) = try makeWorld(acquaintance)
        world.network.faults.delayMin = .milliseconds(10)
        let call = world.start {
            try await connection.call(method) { requests, _ in
                while true { try await requests.send(Self.message) }
            }
        }
        world.network.run(for: .seconds(1))
        #expect(call.error == RPCError(.cancelled, "the call is over", execution: .unknown))
        #expect(reads.count.withLock { $0 } == 3)
        try expectNothingLeft(world, connection)
    }

    @Test(arguments: [Hasty.read, Hasty.fail], [nil, RPCCompression.zlib])
    func `pieces that leave when their call is over take the credit that is given back for them`(
        method: BidirectionalMethod<[UInt8], [UInt8]>, compression: RPCCompression?
    ) throws {
        let (world, connection, _) = try makeWorld(.negotiated) { $0.compression = compression }
        world.network.faults.delayMin = .milliseconds(10)
        var random = SeededGenerator(seed: 1)
        // Compressed they are half as long, and still many pieces.
        let long = (0..<4_000_000).map { _ in UInt8.random(in: 0..<16, using: &random) }
        _ = world.start {
            try await connection.call(method) { requests, _ in
                try await requests.send([1])
                try await requests.send(long)
            }
        }
        world.network.run(for: .seconds(5))
        world.network.runUntilIdle()
        let server = try #require(world.server.peers(on: world.loop).first)
        #expect(connection.peer.core.sendCredit == server.peer.core.receiveCredit)
    }

    @Test(arguments: Acquaintance.allCases)
    func `a caller that only sends is told what the handler failed with`(
        acquaintance: Acquaintance
    ) throws {
        let (world, connection, _) = try makeWorld(acquaintance)
        world.network.faults.delayMin = .milliseconds(10)
        let call = world.start {
            try await connection.call(Hasty.fail) { requests, _ in
                while true { try await requests.send(Self.message) }
            }
        }
        world.network.run(for: .seconds(1))
        #expect(call.error == RPCError(.outOfRange, "enough"))
        try expectNothingLeft(world, connection)
    }

    @Test(arguments: Acquaintance.allCases)
    func `a call that waits is made when the one before it ends with its caller's end`(
        acquaintance: Acquaintance
    ) throws {
        let (world, connection, _) = try makeWorld(acquaintance) {
            $0.outgoingCallsMax = 1
            $0.pingInterval = nil
        }
        world.network.faults.delayMin = .milliseconds(10)
        let gate = AsyncStream<Void>.makeStream()
        let first = world.start {
            try await connection.call(Hasty.listen) { requests, replies in
                try await requests.send([0])
                for try await _ in replies { Issue.record("a reply") }
                for await _ in gate.stream { break }
                requests.finish()
                for await _ in gate.stream {}
            }
        }
        let second = world.start { try await connection.call(Echo.echo, [1]) }
        world.network.run(for: .seconds(1))
        #expect(!second.isOver)
        gate.continuation.yield()
        world.network.run(for: .seconds(1))
        #expect(second.value == [1])
        #expect(!first.isOver)
        gate.continuation.finish()
        world.network.runUntilIdle()
        #expect(first.isSuccess)
    }

    @Test(arguments: Acquaintance.allCases)
    func `a handler that ended its replies reads what is sent after that`(
        acquaintance: Acquaintance
    ) throws {
        let (world, connection, reads) = try makeWorld(acquaintance)
        try world.run {
            try await connection.call(Hasty.listen) { requests, replies in
                try await requests.send([0])
                for try await _ in replies { Issue.record("a reply") }
                // More than the stream's credit.
                for _ in 0..<100 { try await requests.send(Self.message) }
                requests.finish()
            }
        }
        world.network.runUntilIdle()
        #expect(reads.count.withLock { $0 } == 101)
        try expectNothingLeft(world, connection)
    }

    @Test(arguments: Acquaintance.allCases)
    func `a caller that reads first finds the end of the replies, and may say its own`(
        acquaintance: Acquaintance
    ) throws {
        let (world, connection, _) = try makeWorld(acquaintance)
        let count = try world.run {
            try await connection.call(Hasty.read) { requests, replies in
                try await requests.send([1])
                var count = 0
                for try await _ in replies { count += 1 }
                requests.finish()
                return count
            }
        }
        #expect(count == 0)
        try expectNothingLeft(world, connection)
    }

    @Test(arguments: Acquaintance.allCases)
    func `a call ends although what a task of its handler sends has not left`(
        acquaintance: Acquaintance
    ) throws {
        let (world, connection, _) = try makeWorld(acquaintance)
        world.network.faults.bytesPerSecond = 1_000_000
        let call = world.start {
            try await connection.call(Hasty.leave) { requests, replies in
                try await requests.send([2])
                var replies = replies.makeAsyncIterator()
                _ = try await replies.next()
                try await requests.send([2])
                while try await replies.next() != nil {}
            }
        }
        world.network.run(for: .seconds(10))
        #expect(call.error?.code == .cancelled)
        try expectNothingLeft(world, connection)
    }

    private enum Unread: RPCService {
        static let serviceName = "test.Unread"
        static let add = clientStreaming("Add", [UInt8].self, [UInt8].self)
        /// The same, of a caller that says all in its request.
        static let addOnce = serverStreaming("Add", [UInt8].self, [UInt8].self)
    }

    @Test func `what came in a request or a reply and is not read gives no credit back`() throws {
        var handlers = RPCHandlers()
        handlers.handle(Unread.add, on: .loop) { _, _ in Self.message }
        handlers.handle(Echo.echo, on: .loop) { request, _ in request }
        let world = try RPCWorld(handlers: handlers)
        let connection = try world.connect()
        try world.negotiate(connection)
        for _ in 0..<3 {
            _ = try world.run {
                try await connection.call(Unread.addOnce, Self.message) { replies in
                    for try await _ in replies {}
                }
            }
        }
        try expectNothingLeft(world, connection)
        for _ in 0..<3 {
            let call = world.start {
                try await connection.call(Unread.add) { _ in
                    let (stream, continuation) = AsyncStream<Void>.makeStream()
                    for await _ in stream {}
                    withExtendedLifetime(continuation) {}
                }
            }
            world.network.runUntilIdle()
            call.task?.cancel()
            world.network.runUntilIdle()
            #expect(call.error?.code == .cancelled)
        }
        try expectNothingLeft(world, connection)
    }

    private enum Detached: RPCService {
        static let serviceName = "test.Detached"
        /// Sends in a task that is not its handler's.
        static let send = bidirectional("Send", [UInt8].self, [UInt8].self)
        /// Reads in one.
        static let read = bidirectional("Read", [UInt8].self, [UInt8].self)
    }

    private final class Ends: Sendable {
        let codes = Mutex<[StatusCode]>([])
    }

    @Test(arguments: [Detached.send, Detached.read], [true, false])
    func `tasks that a handler awaits end with a call that is given up, or late`(
        method: BidirectionalMethod<[UInt8], [UInt8]>, isLate: Bool
    ) throws {
        let witness = Witness()
        let ends = Ends()
        @Sendable func wait(
            _ context: RPCContext, _ body: @escaping @Sendable () async throws -> Void
        ) async {
            let task = Task(executorPreference: context.connection.loop) {
                do {
                    try await body()
                } catch let error as RPCError {
                    ends.codes.withLock { $0.append(error.code) }
                }
            }
            _ = await task.result
            witness.note { $0.cancelled += 1 }
        }
        var handlers = RPCWorld.handlers(witness)
        handlers.handle(Detached.send, on: .loop) { _, replies, context in
            await wait(context) { while true { try await replies.send(Self.message) } }
        }
        handlers.handle(Detached.read, on: .loop) { requests, _, context in
            await wait(context) { for try await _ in requests {} }
        }
        let world = try RPCWorld(witness: witness, handlers: handlers)
        let connection = try world.connect()
        try world.negotiate(connection)
        let call = world.start {
            let options = CallOptions(timeout: isLate ? .seconds(1) : .seconds(60))
            try await connection.call(method, options: options) { requests, _ in
                for _ in 0..<3 { try await requests.send(Self.message) }
                let (stream, continuation) = AsyncStream<Void>.makeStream()
                for await _ in stream {}
                withExtendedLifetime(continuation) {}
            }
        }
        world.network.run(for: .milliseconds(500))
        if !isLate { call.task?.cancel() }
        world.network.run(for: .seconds(2))
        #expect(witness.cancelled == 1)
        #expect(ends.codes.withLock { $0 } == [isLate ? .deadlineExceeded : .cancelled])
        call.task?.cancel()
        try expectNothingLeft(world, connection)
    }
}
