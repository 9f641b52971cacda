import MessagePack
import NetPoll
import NetPollTesting
import Testing

@testable import MessagePackRPC

/// Each reason for which a call fails that no peer of ours gives.
@Suite("Failures of calls, MessagePack-RPC", .timeLimit(.minutes(5)))
struct FailureTests {
    private struct Unwritable: Encodable {
        struct Reason: Error {}

        func encode(to encoder: any Encoder) throws { throw Reason() }
    }

    /// A server that answers the first bytes with what is no answer.
    private final class Garbler: ConnectionHandler, Sendable {
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            // No MessagePack begins so.
            let garbage: [UInt8] = [0xC1]
            connection.write(garbage.span.bytes)
        }
    }

    /// A server that reads nothing.
    private final class Sleeper: ConnectionHandler, Sendable {
        func opened(_ connection: Connection) { connection.pauseReading() }
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {}
    }

    private let place = SocketAddress.v4(0x0900_000a, port: 9)

    private func connect(
        _ world: PeerWorld, to handler: any ConnectionHandler & Sendable,
        _ configuration: MessagePackRPCConfiguration = .init()
    ) throws -> MessagePackRPCConnection {
        try world.loop.listen(on: place) { _, _ in handler }
        return try world.run { [place, loop = world.loop] in
            try await MessagePackRPCConnection.connect(
                to: place, on: loop, configuration: configuration)
        }
    }

    @Test func `parameters that cannot be encoded fail their call alone, which has not run`() throws
    {
        let world = try PeerWorld(handlers: .standard(Witness()))
        let client = try world.connect()
        let error = try #require(throws: MessagePackRPCError.self) {
            try world.run { try await client.call("add", 1, Unwritable()) }
        }
        guard case .unencodable(let text) = error.reason else {
            Issue.record("\(error)")
            return
        }
        #expect(text.contains("Reason"))
        #expect(!error.mayHaveRun)
        #expect(try world.run { try await client.call("add", 1, 2, returning: Int.self) } == 3)
    }

    @Test func `a server that breaks the protocol loses its calls, which may have run`() throws {
        let world = try PeerWorld(handlers: .init())
        let client = try connect(world, to: Garbler())
        let calls = (0..<3).map { _ in world.start { try await client.call("nothing") } }
        _ = world.network.run(within: .seconds(5)) { calls.allSatisfy { $0.result != nil } }
        for call in calls {
            guard case .protocolViolation = call.error?.reason else {
                Issue.record("\(String(describing: call.error))")
                continue
            }
            #expect(call.error?.mayHaveRun == true)
        }
        let late = try #require(throws: MessagePackRPCError.self) {
            try world.run { try await client.call("nothing") }
        }
        #expect(late.reason == .closed(nil) && !late.mayHaveRun)
    }

    @Test func `a call that the send queue has no room for fails, and has not run`() throws {
        let world = try PeerWorld(handlers: .init())
        var configuration = MessagePackRPCConfiguration()
        configuration.connection.overflow = .refuse
        configuration.connection.sendQueueBytesMax = 100_000
        let client = try connect(world, to: Sleeper(), configuration)
        let text = String(repeating: "a", count: 80_000)
        let calls = (0..<4).map { _ in
            world.start { try await client.call("nothing", text, timeout: .seconds(60)) }
        }
        world.network.run(for: .seconds(1))
        let refused = calls.filter { $0.result != nil }
        #expect((1...3).contains(refused.count))
        for call in refused {
            #expect(call.error?.reason == .sendQueueFull)
            #expect(call.error?.mayHaveRun == false)
        }
        world.network.run(for: .seconds(60))
        #expect(calls.allSatisfy { $0.result != nil })
    }
}
