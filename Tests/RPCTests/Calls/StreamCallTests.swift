import NetPoll
import NetPollTesting
import Seeds
import Testing

@testable import RPC

private enum Numbers: RPCService {
    static let serviceName = "test.Numbers"
    static let countUp = serverStreaming("CountUp", [UInt8].self, [UInt8].self)
    static let sum = clientStreaming("Sum", [UInt8].self, [UInt8].self)
    static let double = bidirectional("Double", [UInt8].self, [UInt8].self)
    static let pour = serverStreaming("Pour", [UInt8].self, [UInt8].self)
    static let ping = unary("Ping", [UInt8].self, [UInt8].self)
    static let early = clientStreaming("Early", [UInt8].self, [UInt8].self)
}

@Suite("Streaming calls, simulated", .timeLimit(.minutes(10)))
struct StreamCallTests {
    private static func handlers(_ witness: Witness) -> RPCHandlers {
        var handlers = RPCHandlers()
        handlers.handle(Numbers.countUp, on: .loop) { request, replies, _ in
            guard let end = request.first else { throw RPCError(.invalidArgument, "no end") }
            for number in 0..<end { try await replies.send([number]) }
            if end == 13 { throw RPCError(.outOfRange, "unlucky") }
        }
        handlers.handle(Numbers.sum, on: .loop) { requests, _ in
            var sum: UInt8 = 0
            for try await number in requests { sum &+= number.first ?? 0 }
            return [sum]
        }
        handlers.handle(Numbers.double, on: .loop) { requests, replies, _ in
            for try await number in requests { try await replies.send(number + number) }
        }
        handlers.handle(Numbers.pour, on: .loop) { request, replies, _ in
            // For ever, or as many messages as are asked for.
            let end = request.first.map(Int.init) ?? .max
            let message = [UInt8](repeating: 7, count: 16 << 10)
            do {
                for _ in 0..<end {
                    try await replies.send(message)
                    witness.note { $0.started += 1 }
                }
            } catch {
                witness.note { $0.cancelled += 1 }
                throw error
            }
        }
        handlers.handle(Numbers.ping, on: .loop) { request, _ in request }
        handlers.handle(Numbers.early, on: .loop) { _, _ in [42] }
        return handlers
    }

    /// Reads so many messages, and none any more until its task is cancelled.
    private static func read(_ count: Int = 1, of replies: RPCInbound<[UInt8]>) async throws {
        var iterator = replies.makeAsyncIterator()
        for _ in 0..<count { _ = try await iterator.next() }
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        for await _ in stream {}
        withExtendedLifetime(continuation) {}
    }

    private func makeWorld(
        negotiates: Bool = true, seed: UInt64 = 0
    ) throws -> (RPCWorld, RPCConnection) {
        var configuration = RPCConfiguration()
        configuration.negotiatesExtensions = negotiates
        let witness = Witness()
        let world = try RPCWorld(
            seed: seed, configuration: configuration, witness: witness,
            handlers: Self.handlers(witness))
        return (world, try world.connect(configuration))
    }

    @Test(arguments: [true, false], [0, 1, 12, 200] as [UInt8])
    func `replies stream until their end`(negotiates: Bool, end: UInt8) throws {
        let (world, connection) = try makeWorld(negotiates: negotiates)
        for _ in 0..<2 {
            let replies = try world.run {
                try await connection.call(Numbers.countUp, [end]) { replies in
                    var all: [UInt8] = []
                    for try await reply in replies { all += reply }
                    return all
                }
            }
            #expect(replies == Array(0..<end))
        }
        world.network.runUntilIdle()
        let left = connection.peer.core.outgoing.count
        #expect(left == 0)
    }

    @Test(arguments: [true, false])
    func `a stream that fails says so after what was sent`(negotiates: Bool) throws {
        let (world, connection) = try makeWorld(negotiates: negotiates)
        let running = world.start {
            try await connection.call(Numbers.countUp, [13]) { replies in
                var count = 0
                do {
                    for try await _ in replies { count += 1 }
                } catch {
                    #expect(count == 13)
                    throw error
                }
            }
        }
        world.network.runUntilIdle()
        #expect(running.error == RPCError(.outOfRange, "unlucky"))
    }

    @Test(arguments: [true, false])
    func `requests stream until the client's end`(negotiates: Bool) throws {
        let (world, connection) = try makeWorld(negotiates: negotiates)
        for _ in 0..<2 {
            let reply = try world.run {
                try await connection.call(Numbers.sum) { requests in
                    for number in 1...10 as ClosedRange<UInt8> { try await requests.send([number]) }
                }
            }
            #expect(reply == [55])
        }
    }

    @Test func `an early answer counts although the client still sends`() throws {
        let (world, connection) = try makeWorld()
        let reply = try world.run {
            try await connection.call(Numbers.early) { requests in
                while true { try await requests.send([UInt8](repeating: 1, count: 10_000)) }
            }
        }
        #expect(reply == [42])
    }

    @Test(arguments: [true, false])
    func `both sides stream at once`(negotiates: Bool) throws {
        let (world, connection) = try makeWorld(negotiates: negotiates)
        for _ in 0..<2 {
            let replies = try world.run {
                try await connection.call(Numbers.double) { requests, replies in
                    var all: [[UInt8]] = []
                    var iterator = replies.makeAsyncIterator()
                    for number in 0..<50 as Range<UInt8> {
                        try await requests.send([number])
                        if let reply = try await iterator.next() { all.append(reply) }
                    }
                    requests.finish()
                    let end = try await iterator.next()
                    #expect(end == nil)
                    return all
                }
            }
            #expect(replies == (0..<50).map { [$0, $0] })
        }
        world.network.runUntilIdle()
        let left = connection.peer.core.outgoing.count
        #expect(left == 0)
    }

    @Test func `what a task on the loop sends after its end is refused`() throws {
        let (world, connection) = try makeWorld()
        _ = try world.run { try await connection.call(Numbers.ping, []) }
        let replies = try world.run {
            try await connection.call(Numbers.double) { requests, replies in
                try await requests.send([1])
                requests.finish()
                await #expect(throws: RPCError.self) { try await requests.send([2]) }
                var all: [[UInt8]] = []
                for try await reply in replies { all.append(reply) }
                return all
            }
        }
        #expect(replies == [[1, 1]])
    }

    @Test func `a reader that stops early cancels the handler`() throws {
        let (world, connection) = try makeWorld()
        _ = try world.run { try await connection.call(Numbers.ping, []) }
        try world.run {
            try await connection.call(Numbers.pour, []) { replies in
                for try await _ in replies { break }
            }
        }
        world.network.runUntilIdle()
        #expect(world.witness.cancelled == 1)
        let peer = try #require(world.server.peers(on: world.loop).first)
        let left = connection.peer.core.outgoing.count + peer.peer.core.incoming.count
        #expect(left == 0)
    }

    @Test func `a reader that waits holds the writer at its credit, and no unary call`() throws {
        let (world, connection) = try makeWorld()
        _ = try world.run { try await connection.call(Numbers.ping, []) }
        let running = world.start {
            try await connection.call(Numbers.pour, []) { try await Self.read(of: $0) }
        }
        world.network.runUntilIdle()
        let written = world.witness.started
        #expect(written * (16 << 10) >= 256 << 10)
        #expect(written * (16 << 10) <= (256 + 48) << 10)
        for _ in 0..<10 {
            let reply = try world.run { try await connection.call(Numbers.ping, [1]) }
            #expect(reply == [1])
        }
        #expect(world.witness.started == written)
        running.task?.cancel()
        world.network.runUntilIdle()
        #expect(running.isOver)
        #expect(world.witness.cancelled == 1)
    }

    /// The most that may wait: of one stream, of all together, and which of them two streams meet.
    @Test(arguments: [(64, 1_024, 128), (1_024, 64, 64), (64, 64, 64)])
    func `credit is as it is configured`(stream: Int, all: Int, expected: Int) throws {
        let (world, _) = try makeWorld()
        var configuration = RPCConfiguration()
        configuration.streamCreditBytes = stream << 10
        configuration.connectionCreditBytes = all << 10
        let connection = try world.connect(configuration)
        _ = try world.run { try await connection.call(Numbers.ping, []) }
        let running = (0..<2).map { _ in
            world.start {
                try await connection.call(Numbers.pour, []) { try await Self.read(of: $0) }
            }
        }
        world.network.runUntilIdle()
        // Of each stream one message was read, and one may go beyond its credit.
        let written = world.witness.started * (16 << 10)
        #expect(written >= expected << 10)
        #expect(written <= (expected + 2 * 48) << 10)
        for call in running { call.task?.cancel() }
        world.network.runUntilIdle()
        #expect(running.allSatisfy { $0.isOver })
    }

    @Test func `what a reader has taken is credit for others, though it reads no further`() throws {
        let (world, _) = try makeWorld()
        var configuration = RPCConfiguration()
        configuration.streamCreditBytes = 8 << 20
        configuration.connectionCreditBytes = 64 << 10
        let connection = try world.connect(configuration)
        _ = try world.run { try await connection.call(Numbers.ping, []) }
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let reader = world.start {
            try await connection.call(Numbers.pour, [4]) { replies in
                for await _ in gate { break }
                try await Self.read(3, of: replies)
            }
        }
        world.network.runUntilIdle()
        // All that the connection's credit allows waits to be read.
        #expect(world.witness.started == 4)
        opener.yield()
        world.network.runUntilIdle()
        let other = world.start {
            try await connection.call(Numbers.countUp, [3]) { replies in
                var count = 0
                for try await _ in replies { count += 1 }
                return count
            }
        }
        world.network.runUntilIdle()
        #expect(other.value == 3)
        other.task?.cancel()
        reader.task?.cancel()
        world.network.runUntilIdle()
        #expect(reader.isOver)
    }

    @Test func `what is streamed through a window holds no more than the window`() throws {
        let (world, connection) = try makeWorld()
        _ = try world.run { try await connection.call(Numbers.ping, []) }
        let most = try world.run {
            try await connection.call(Numbers.pour, []) { replies in
                var (bytes, most) = (0, 0)
                for try await reply in replies {
                    bytes += reply.count
                    most = max(most, replies.stream.waitingBytes)
                    if bytes >= 64 << 20 { break }
                }
                return most
            }
        }
        #expect(most <= (256 + 16) << 10)
    }

    @Test func `an uncounted stream that nobody reads fails at its bound`() throws {
        let (world, connection) = try makeWorld(negotiates: false)
        let running = world.start {
            try await connection.call(Numbers.pour, [200]) { try await Self.read(of: $0) }
        }
        world.network.run(for: .seconds(1))
        let left = connection.peer.core.outgoing.count
        #expect(left == 0)
        #expect(world.witness.started == 200)
        running.task?.cancel()
        world.network.runUntilIdle()
        #expect(running.isOver)
    }

    @Test func `streams on a lost connection fail`() throws {
        let (world, connection) = try makeWorld()
        let running = world.start {
            try await connection.call(Numbers.double) { requests, replies in
                try await requests.send([1])
                for try await _ in replies { connection.close() }
            }
        }
        world.network.runUntilIdle()
        #expect(running.error?.code == .unavailable)
    }

    @Test func `a method called in another shape is refused with status 3`() throws {
        let (world, connection) = try makeWorld()
        let wrong = UnaryMethod<[UInt8], [UInt8]>(
            service: Numbers.serviceName, name: Numbers.sum.name)
        let running = world.start { try await connection.call(wrong, []) }
        world.network.runUntilIdle()
        #expect(running.error?.code == .invalidArgument)
    }

    @Test(arguments: seeds(40))
    func `streams survive any cut of the bytes`(seed: UInt64) throws {
        let (world, connection) = try makeWorld(negotiates: seed % 2 == 0, seed: seed)
        world.network.faults = .cuts
        let runs = (0..<5).map { _ in
            world.start {
                try await connection.call(Numbers.double) { requests, replies in
                    var iterator = replies.makeAsyncIterator()
                    for size in 1...20 {
                        let message = [UInt8](repeating: UInt8(size), count: size * 997)
                        try await requests.send(message)
                        let reply = try await iterator.next()
                        #expect(reply == message + message)
                    }
                    requests.finish()
                }
            }
        }
        world.network.run(for: .seconds(20))
        #expect(runs.allSatisfy { $0.isSuccess }, "seed \(seed)")
    }
}
