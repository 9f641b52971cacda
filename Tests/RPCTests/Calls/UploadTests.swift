import NetPoll
import NetPollTesting
import Testing

@testable import RPC

private enum Archive: RPCService {
    static let serviceName = "test.Archive"
    /// Reads a message when it is told to; gives how many there were, in two bytes.
    static let store = clientStreaming("Store", [UInt8].self, [UInt8].self)
}

@Suite("Uploads to a handler that reads slowly, simulated", .timeLimit(.minutes(10)))
struct UploadTests {
    private static let window = 64 << 10
    private static let message = [UInt8](repeating: 5, count: 8_000)

    private func makeWorld(
        negotiates: Bool
    ) throws -> (RPCWorld, RPCConnection, AsyncStream<Void>.Continuation) {
        let (ticks, reads) = AsyncStream<Void>.makeStream()
        var configuration = RPCConfiguration()
        configuration.negotiatesExtensions = negotiates
        configuration.streamCreditBytes = Self.window
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Archive.store, on: .loop) { requests, _ in
            var (count, ticks) = (0, ticks.makeAsyncIterator())
            for try await _ in requests {
                count += 1
                _ = await ticks.next()
            }
            return [UInt8(count / 256), UInt8(count % 256)]
        }
        let world = try RPCWorld(configuration: configuration, handlers: handlers)
        return (world, try world.connect(configuration), reads)
    }

    /// The most bytes that a stream of the server's holds, of which a message is read every
    /// millisecond, while unary calls beside it are each answered within that time.
    private func watch(
        _ world: RPCWorld, _ connection: RPCConnection,
        _ reads: AsyncStream<Void>.Continuation, until isOver: () -> Bool
    ) throws -> Int {
        let server = try #require(world.server.peers(on: world.loop).first).peer
        var most = 0
        while !isOver() {
            reads.yield()
            let call = world.start { try await connection.call(Echo.echo, [1]) }
            world.network.run(for: .milliseconds(1))
            try #require(call.value == [1])
            for call in server.served {
                most = max(most, call?.stream?.waitingBytes ?? 0)
            }
        }
        return most
    }

    @Test func `what waits is bounded by the window, and unary calls go on`() throws {
        let (world, connection, reads) = try makeWorld(negotiates: true)
        try world.negotiate(connection)
        let upload = world.start {
            try await connection.call(Archive.store) { requests in
                for _ in 0..<500 { try await requests.send(Self.message) }
            }
        }
        let most = try watch(world, connection, reads) { upload.isOver }
        #expect(upload.value == [1, 244])
        #expect((Self.window / 2...Self.window + Self.message.count).contains(most), "\(most)")
        // Nor does it wait at the client instead.
        let queued = connection.peer.connection.queuedBytes
        #expect(queued == 0)
    }

    @Test func `one that is not counted fails at its bound, and unary calls go on`() throws {
        let (world, connection, reads) = try makeWorld(negotiates: false)
        _ = try world.run { try await connection.call(Echo.echo, []) }
        let upload = world.start {
            try await connection.call(Archive.store) { requests in
                while true { try await requests.send(Self.message) }
            }
        }
        let most = try watch(world, connection, reads) { upload.isOver }
        #expect(upload.error?.code == .resourceExhausted)
        #expect(most <= CallStream.uncountedBytesMax)
        let peer = try #require(world.server.peers(on: world.loop).first)
        world.network.run(for: .seconds(1))
        let left = connection.peer.core.outgoing.count + peer.peer.core.incoming.count
        #expect(left == 0)
    }
}
