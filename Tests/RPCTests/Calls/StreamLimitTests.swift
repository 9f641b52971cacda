import NetPoll
import NetPollTesting
import Testing

@testable import RPC

@Suite("Streams, messages that the peer does not take, simulated", .timeLimit(.minutes(10)))
struct StreamLimitTests {
    private enum Mirror: RPCService {
        static let serviceName = "test.Mirror"
        static let mirror = bidirectional("Mirror", [UInt8].self, [UInt8].self)
        static let pour = serverStreaming("Pour", [UInt8].self, [UInt8].self)
    }

    private func makeWorld(
        _ server: RPCConfiguration, _ client: RPCConfiguration
    ) throws -> (RPCWorld, RPCConnection) {
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Mirror.mirror, on: .loop) { requests, replies, _ in
            for try await request in requests { try await replies.send(request) }
        }
        handlers.handle(Mirror.pour, on: .loop) { request, replies, _ in
            try await replies.send(Sample.text(Int(request[0]) << 10))
        }
        let world = try RPCWorld(configuration: server, handlers: handlers)
        let connection = try world.connect(client)
        try world.negotiate(connection)
        return (world, connection)
    }

    /// Sends one message, and reads it back.
    private func mirror(_ bytes: Int, _ connection: RPCConnection) async throws -> Int {
        let message = Sample.text(bytes)
        return try await connection.call(Mirror.mirror) { requests, replies in
            try await requests.send(message)
            requests.finish()
            var count = 0
            for try await reply in replies { count += reply.count }
            return count
        }
    }

    @Test(arguments: [true, false])
    func `they are refused to the writer, and the streams of the connection go on`(
        negotiates: Bool
    ) throws {
        var (server, client) = (RPCConfiguration(), RPCConfiguration())
        server.negotiatesExtensions = negotiates
        // What a plain peer takes at most is not known.
        if negotiates {
            server.messageBytesMax = 16 << 10
        } else {
            client.messageBytesMax = 16 << 10
        }
        let (world, connection) = try makeWorld(server, client)
        for _ in 0..<60 {
            let call = world.start { try await mirror(20 << 10, connection) }
            world.network.run(for: .milliseconds(10))
            #expect(call.error?.code == .resourceExhausted)
        }
        let small = world.start { try await mirror(16 << 10, connection) }
        world.network.run(for: .milliseconds(10))
        #expect(small.value == 16 << 10)
    }

    @Test func `one that no peer would take ends no other call`() throws {
        var server = RPCConfiguration()
        server.negotiatesExtensions = false
        let (world, connection) = try makeWorld(server, .init())
        let other = world.start { try await connection.call(Echo.wait, []) }
        let call = world.start { try await mirror(16 << 20, connection) }
        world.network.run(for: .seconds(1))
        #expect(call.error?.code == .resourceExhausted)
        #expect(!other.isOver)
        let reply = try world.run { try await connection.call(Echo.echo, [7]) }
        #expect(reply == [7])
        other.task?.cancel()
        world.network.runUntilIdle()
    }

    @Test func `a handler that sends one fails its call with what its limit is`() throws {
        var client = RPCConfiguration()
        client.messageBytesMax = 16 << 10
        let (world, connection) = try makeWorld(.init(), client)
        for (kibibytes, isTaken) in [(16, true), (17, false)] as [(UInt8, Bool)] {
            let call = world.start {
                try await connection.call(Mirror.pour, [kibibytes]) { replies in
                    for try await _ in replies {}
                }
            }
            world.network.run(for: .seconds(1))
            #expect(call.isSuccess == isTaken)
            if !isTaken {
                #expect(call.error?.code == .resourceExhausted)
                #expect(call.error?.message == "message of 17408 bytes exceeds 16384")
            }
        }
    }

    // MARK: - Compressed messages

    /// Both sides compress, and take few bytes before they wait for the other to read.
    private func compressing(
        _ partialMessagesMax: Int, outgoingCallsMax: Int = 10
    ) throws -> (RPCWorld, RPCConnection) {
        var configuration = RPCConfiguration()
        configuration.outgoingCallsMax = outgoingCallsMax
        configuration.compression = .zlib
        configuration.partialMessagesMax = partialMessagesMax
        configuration.streamCreditBytes = 16 << 20
        configuration.connectionCreditBytes = 16 << 20
        configuration.connection.highWatermark = 8 << 10
        configuration.connection.lowWatermark = 4 << 10
        return try makeWorld(configuration, configuration)
    }

    /// Half of it is noise, so that half is left of it.
    private func message(_ bytes: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<bytes).map { $0 & 1 == 0 ? .random(in: 0...255, using: &random) : 0 }
    }

    @Test(arguments: [8, 0], [20_000, 60_000])
    func `compressed messages wait while the peer does not take those before`(
        partialMessagesMax: Int, bytes: Int
    ) throws {
        let (world, connection) = try compressing(partialMessagesMax)
        world.network.faults.bytesPerSecond = 10_000
        let messages = (0..<20).map { message(bytes, seed: UInt64($0)) }
        let call = world.start {
            try await connection.call(Mirror.mirror) { requests, replies in
                async let sent: Void = withThrowingTaskGroup { tasks in
                    for message in messages {
                        tasks.addTask { try await requests.send(message) }
                    }
                    try await tasks.waitForAll()
                    requests.finish()
                }
                var count = 0
                for try await reply in replies { count += reply.count }
                try await sent
                return count
            }
        }
        world.network.run(for: .milliseconds(500))
        #expect(connection.peer.connection.queuedBytes < 8 << 10 + 64 << 10)
        world.network.faults.bytesPerSecond = 100_000_000
        world.network.run(for: .seconds(60))
        #expect(call.value == 20 * bytes)
    }

    @Test(arguments: [8, 0])
    func `very many writers wait for one stream, and each has its turn`(
        partialMessagesMax: Int
    ) throws {
        let (world, connection) = try compressing(partialMessagesMax, outgoingCallsMax: 1)
        // While it lasts, the stream waits to be opened.
        let first = world.start { try await connection.call(Echo.wait, []) }
        let count = 20_000
        let writing = world.start {
            try await connection.call(Mirror.mirror) { requests, _ in
                let message = [UInt8](repeating: 7, count: 2_000)
                await withTaskGroup { tasks in
                    for _ in 0..<count {
                        tasks.addTask { try? await requests.send(message) }
                    }
                }
            }
        }
        world.network.run(for: .seconds(1))
        #expect(!writing.isOver)
        first.task?.cancel()
        world.network.run(for: .seconds(60))
        #expect(writing.isSuccess)
    }
}
