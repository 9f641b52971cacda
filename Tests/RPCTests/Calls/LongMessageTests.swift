import NetPoll
import NetPollTesting
import Testing

@testable import RPC

@Suite("Long messages, simulated", .timeLimit(.minutes(10)))
struct LongMessageTests {
    private enum Long: RPCService {
        static let serviceName = "test.Long"
        static let reverse = bidirectional("Reverse", [UInt8].self, [UInt8].self)
    }

    private func world(
        seed: UInt64 = 0, _ change: (inout RPCConfiguration) -> Void = { _ in }
    ) throws -> (RPCWorld, RPCConnection) {
        var configuration = RPCConfiguration()
        configuration.pieceBytesMax = 1_024
        change(&configuration)
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Long.reverse, on: .loop) { inbound, outbound, _ in
            for try await message in inbound { try await outbound.send(message.reversed()) }
        }
        let world = try RPCWorld(seed: seed, configuration: configuration, handlers: handlers)
        let connection = try world.connect(configuration)
        try world.negotiate(connection)
        return (world, connection)
    }

    private func text(_ bytes: Int) -> [UInt8] { Sample.text(bytes) }

    @Test(arguments: [1_000, 1_024, 1_025, 100_000, 500_000])
    func `a message comes whole both ways`(bytes: Int) throws {
        let (world, connection) = try world()
        let request = text(bytes)
        for method in [Echo.echo, Echo.inline] {
            let reply = try world.run { try await connection.call(method, request) }
            #expect(reply == request)
        }
    }

    @Test func `messages longer than a frame pass where both sides take them`() throws {
        let (world, connection) = try world {
            $0.messageBytesMax = 10 << 20
            $0.pieceBytesMax = 64 << 10
        }
        let request = text(9 << 20)
        let reply = try world.run { try await connection.call(Echo.inline, request) }
        #expect(reply == request)
    }

    @Test func `a small call overtakes a long message`() throws {
        let (world, connection) = try world()
        world.network.faults.bytesPerSecond = 200_000
        let long = world.start { try await connection.call(Echo.inline, text(600_000)) }
        world.network.run(for: .milliseconds(200))
        #expect(!long.isOver)
        let before = world.loop.now
        _ = try world.run { try await connection.call(Echo.inline, [1]) }
        #expect(!long.isOver)
        #expect(world.loop.now - before < .milliseconds(1_200))
        world.network.run(for: .seconds(20))
        #expect(long.value?.count == 600_000)
    }

    @Test func `a short message of a stream overtakes a long one`() throws {
        let (world, connection) = try world()
        world.network.faults.bytesPerSecond = 200_000
        let long = world.start { try await connection.call(Echo.inline, text(600_000)) }
        world.network.run(for: .milliseconds(200))
        let before = world.loop.now
        let reply = try world.run {
            try await connection.call(Long.reverse) { outbound, inbound in
                try await outbound.send([1, 2])
                outbound.finish()
                return try await inbound.reduce(into: []) { $0 += $1 }
            }
        }
        #expect(reply == [2, 1])
        #expect(!long.isOver)
        #expect(world.loop.now - before < .milliseconds(1_200))
    }

    @Test func `streams that take all they get leave a long message its share`() throws {
        let (world, connection) = try world()
        world.network.faults.bytesPerSecond = 1_000_000
        for _ in 0..<100 {
            _ = world.start {
                try await connection.call(Long.reverse) { outbound, inbound in
                    async let read: Void = { for try await _ in inbound {} }()
                    while true { try await outbound.send(text(1_000)) }
                    try await read
                }
            }
        }
        world.network.run(for: .seconds(1))
        let long = world.start { try await connection.call(Echo.inline, text(600_000)) }
        world.network.run(for: .seconds(10))
        #expect(long.value?.count == 600_000)
        connection.close()
        world.network.runUntilIdle()
    }

    @Test func `more long messages than are taken at once all come`() throws {
        let (world, connection) = try world { $0.partialMessagesMax = 2 }
        let calls = (0..<20).map { index in
            world.start { try await connection.call(Echo.echo, text(50_000 + index)) }
        }
        world.network.run(for: .seconds(5))
        #expect(calls.map { $0.value?.count } == (0..<20).map { 50_000 + $0 })
    }

    @Test func `a long call that expires before its turn is not sent, nor another for it`() throws {
        let (world, connection) = try world { $0.partialMessagesMax = 1 }
        world.network.faults.bytesPerSecond = 1_000_000
        let first = world.start { try await connection.call(Echo.inline, text(1_000_000)) }
        world.network.run(for: .milliseconds(50))
        let options = CallOptions(timeout: .milliseconds(100))
        let expired = world.start {
            try await connection.call(Echo.inline, text(50_000), options: options)
        }
        world.network.run(for: .milliseconds(200))
        #expect(expired.error?.code == .deadlineExceeded)
        #expect(expired.error?.execution == .notRun)
        // They may use what the expired call left.
        let others = (0..<10).map { index in
            world.start { try await connection.call(Echo.inline, [UInt8(index)]) }
        }
        world.network.run(for: .seconds(10))
        #expect(first.value?.count == 1_000_000)
        #expect(others.map(\.value) == (0..<10).map { [UInt8($0)] })
        #expect(connection.peer.delayed.isEmpty)
    }

    @Test func `long messages of a stream keep their order among short ones`() throws {
        let (world, connection) = try world()
        let sizes = [10, 100_000, 20, 5_000, 1_024, 1_025, 0, 300_000]
        let replies = try world.run { () -> [[UInt8]] in
            try await connection.call(Long.reverse) { outbound, inbound in
                async let sent: Void = {
                    for size in sizes { try await outbound.send(text(size)) }
                    outbound.finish()
                }()
                var replies: [[UInt8]] = []
                for try await reply in inbound { replies.append(reply) }
                try await sent
                return replies
            }
        }
        #expect(replies == sizes.map { text($0).reversed() })
    }

    @Test func `a cancelled long call leaves nothing behind`() throws {
        let (world, connection) = try world()
        world.network.faults.bytesPerSecond = 200_000
        let call = world.start { try await connection.call(Echo.echo, text(600_000)) }
        world.network.run(for: .milliseconds(500))
        let peer = try #require(world.server.peers(on: world.loop).first).peer
        #expect(peer.core.partials.count == 1)
        call.task?.cancel()
        world.network.run(for: .seconds(1))
        #expect(call.error?.code == .cancelled)
        #expect(peer.core.partials.isEmpty)
        #expect(connection.peer.outbox.isEmpty)
        let reply = try world.run { try await connection.call(Echo.echo, [1]) }
        #expect(reply == [1])
    }

    @Test func `a message beyond the limit is refused before it is sent`() throws {
        let (world, connection) = try world { $0.messageBytesMax = 10_000 }
        let call = world.start { try await connection.call(Echo.echo, text(10_000)) }
        world.network.run(for: .seconds(1))
        #expect(call.error?.code == .resourceExhausted)
        #expect(call.error?.execution == .notRun)
    }

    @Test func `what waits to be sent is bounded`() throws {
        let (world, connection) = try world { $0.connection.sendQueueBytesMax = 1 << 20 }
        world.network.faults.bytesPerSecond = 100_000
        let calls = (0..<10).map { _ in
            world.start { try await connection.call(Echo.echo, text(400_000)) }
        }
        world.network.run(for: .milliseconds(100))
        let refused = calls.filter { $0.error?.code == .resourceExhausted }
        #expect((6...8).contains(refused.count))
        #expect(connection.peer.outbox.bytes <= 1 << 20)
    }

    @Test func `a long reply comes whole although its server drains meanwhile`() throws {
        let (world, connection) = try world()
        world.network.faults.bytesPerSecond = 1_000_000
        let call = world.start { try await connection.call(Echo.inline, text(600_000)) }
        world.network.run(for: .milliseconds(800))
        let peer = try #require(world.server.peers(on: world.loop).first).peer
        #expect(!peer.outbox.isEmpty && peer.core.isIdle)
        let drain = world.start { [server = world.server] in await server.drain() }
        world.network.run(for: .seconds(5))
        #expect(call.value?.count == 600_000)
        #expect(drain.isOver && peer.isClosed)
    }

    @Test func `a long one-way request leaves whole before its client has drained`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        world.network.faults.bytesPerSecond = 1_000_000
        let sending = world.start { try await connection.send(Echo.echo, text(600_000)) }
        world.network.run(for: .milliseconds(100))
        #expect(sending.isSuccess && !connection.peer.outbox.isEmpty)
        connection.drain()
        world.network.run(for: .seconds(5))
        #expect(world.witness.started == 2)
        #expect(connection.peer.isClosed)
    }

    @Test func `a call that waits is made when a long one-way request before it has left`() throws {
        let (world, connection) = try world {
            $0.partialMessagesMax = 1
            $0.outgoingCallsMax = 1
            $0.pingInterval = nil
        }
        world.network.faults.bytesPerSecond = 100_000
        let sendings = (0..<2).map { _ in
            world.start { try await connection.send(Echo.echo, text(50_000)) }
        }
        let call = world.start { try await connection.call(Echo.echo, [7]) }
        world.network.run(for: .milliseconds(10))
        connection.drain()
        world.network.run(for: .seconds(10))
        #expect(sendings.map(\.isSuccess) == [true, true])
        #expect(call.value == [7])
        #expect(connection.peer.isClosed)
    }

    @Test func `long calls whose time is over before their turn do not pile up`() throws {
        let (world, connection) = try world { $0.partialMessagesMax = 1 }
        world.network.faults.bytesPerSecond = 1_000
        let patient = CallOptions(timeout: .seconds(3_600))
        let first = world.start {
            try await connection.call(Echo.inline, text(1_000_000), options: patient)
        }
        world.network.run(for: .milliseconds(50))
        for _ in 0..<200 {
            let late = world.start {
                let options = CallOptions(timeout: .milliseconds(10))
                return try await connection.call(Echo.inline, text(5_000), options: options)
            }
            world.network.run(for: .milliseconds(20))
            #expect(late.error?.code == .deadlineExceeded)
        }
        #expect(!first.isOver)
        #expect(connection.peer.delayed.count < 30)
    }

    // MARK: - Compression

    /// How long a call of so many bytes takes at a megabyte a second.
    private func duration(_ bytes: Int, _ world: RPCWorld, _ connection: RPCConnection) throws
        -> Duration
    {
        world.network.faults.bytesPerSecond = 1_000_000
        let request = [UInt8](repeating: 97, count: bytes)
        let before = world.loop.now
        let reply = try world.run { try await connection.call(Echo.echo, request) }
        #expect(reply == request)
        return world.loop.now - before
    }

    @Test(arguments: [50_000, 500_000])
    func `compressed messages come whole, and take less time`(bytes: Int) throws {
        let (world, connection) = try world { $0.compression = .zlib }
        let duration = try duration(bytes, world, connection)
        #expect(duration < .microseconds(bytes / 2))
    }

    @Test func `messages below the least length are not compressed`() throws {
        let (_, connection) = try world { $0.compression = .zlib }
        let message = [UInt8](repeating: 97, count: 1_024)
        #expect(connection.peer.compressed(Array(message.dropLast())).flags == [])
        #expect(connection.peer.compressed(message).flags == .compressed)
    }

    @Test func `compressed messages of a stream cost the credit of their originals`() throws {
        let (world, connection) = try world { $0.compression = .zlib }
        let message = [UInt8](repeating: 97, count: 200_000)
        let count = try world.run {
            try await connection.call(Long.reverse) { outbound, inbound in
                async let sent: Void = {
                    for _ in 0..<10 { try await outbound.send(message) }
                    outbound.finish()
                }()
                var count = 0
                for try await reply in inbound { count += reply.count }
                try await sent
                return count
            }
        }
        #expect(count == 10 * 200_000)
        let peer = try #require(world.server.peers(on: world.loop).first).peer
        world.network.runUntilIdle()
        #expect(
            peer.core.sendCredit
                == connection.peer.core.receiveCredit)
    }

    @Test func `only sides that both compress do so`() throws {
        let world = try RPCWorld()
        var configuration = RPCConfiguration()
        configuration.compression = .zlib
        let connection = try world.connect(configuration)
        try world.negotiate(connection)
        let duration = try duration(1_000_000, world, connection)
        #expect(duration > .seconds(1))
    }
}
