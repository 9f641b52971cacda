import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

/// Answers the first request, and ends its side with the answer; a plain peer.
///
/// Used on its loop only.
private final class LastWordServer: ConnectionHandler {
    private var decoder = FrameDecoder()
    private let seen: Seen

    final class Seen: Sendable {
        let requests = Mutex(0)
    }

    init(_ seen: Seen) {
        self.seen = seen
    }

    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        let input = bytes.bytes.withUnsafeBytes { Array($0) }
        guard let frames = try? decoder.frames(in: input) else { return connection.abort() }
        for frame in frames where frame.header.type == .request {
            seen.requests.withLock { $0 += 1 }
            connection.write(Sample.response(frame.header.stream, [7]).bytes.span.bytes)
            connection.close()
        }
    }

    func receivedEnd(on connection: Connection) { connection.close() }
}

@Suite("Calls made in the turn in which their connection ends, simulated", .timeLimit(.minutes(10)))
struct LastTurnTests {
    private let seen = LastWordServer.Seen()

    private func makeWorld() throws -> (RPCWorld, SocketAddress) {
        let world = try RPCWorld()
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        let listening = try world.run { [group = world.group, seen] in
            try await group.listen(on: any) { _, _ in LastWordServer(seen) }
        }
        return (world, listening.address)
    }

    @Test func `a call behind the reply that came with the peer's end was not run`() throws {
        let (world, address) = try makeWorld()
        let connection = try world.run { [loop = world.loop] in
            try await RPCConnection.connect(to: address, on: loop)
        }
        let calls = world.start { () async throws -> RPCError? in
            _ = try await connection.call(Echo.echo, [])
            return await failure { try await connection.call(Echo.echo, []) }
        }
        world.network.runUntilIdle()
        let error = try #require(calls.value ?? nil)
        #expect(error.code == .unavailable)
        #expect(error.execution == .notRun)
        #expect(seen.requests.withLock { $0 } == 1)
    }

    @Test func `a client makes it on another connection`() throws {
        let (world, address) = try makeWorld()
        let client = RPCClient(to: .address(address), on: [world.loop])
        let calls = world.start {
            for _ in 0..<10 { _ = try await client.call(Echo.echo, []) }
        }
        world.network.run(for: .seconds(5))
        #expect(calls.isSuccess)
        #expect(seen.requests.withLock { $0 } == 10)
    }

    @Test func `those that wait when it is aborted were not run`() throws {
        let world = try RPCWorld()
        var configuration = RPCConfiguration()
        configuration.outgoingCallsMax = 1
        let connection = try world.connect(configuration)
        try world.negotiate(connection)
        let first = world.start { try await connection.call(Echo.wait, []) }
        let second = world.start { try await connection.call(Echo.echo, []) }
        world.network.runUntilIdle()
        // What is cancelled makes room, in the turn of the abort and behind it.
        connection.loop.execute { connection.peer.connection.abort() }
        first.task?.cancel()
        world.network.runUntilIdle()
        #expect(first.isOver)
        #expect(second.error?.code == .unavailable)
        #expect(second.error?.execution == .notRun)
    }
}
