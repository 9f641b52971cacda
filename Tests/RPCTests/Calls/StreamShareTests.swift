import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

@Suite("Streams of one connection, what each gets, simulated", .timeLimit(.minutes(10)))
struct StreamShareTests {
    private enum Flood: RPCService {
        static let serviceName = "test.Flood"
        static let sink = clientStreaming("Sink", [UInt8].self, [UInt8].self)
        static let pour = serverStreaming("Pour", [UInt8].self, [UInt8].self)
    }

    private static let streams = 100
    /// How many messages each stream sends.
    private static let messages = 60

    /// How many messages each stream brought of the first ones of all.
    private final class Shares: Sendable {
        private struct State {
            var counts = [Int](repeating: 0, count: StreamShareTests.streams)
            var left = StreamShareTests.streams * 20
        }

        private let state = Mutex(State())

        func note(_ stream: Int) {
            state.withLock { state in
                guard state.left > 0 else { return }
                state.left -= 1
                state.counts[stream] += 1
            }
        }

        var all: [Int] { state.withLock { $0.counts } }
    }

    /// Who sends.
    enum Sender: CaseIterable { case client, server }

    /// What holds the streams back.
    enum Bound: CaseIterable { case line, turn, credit }

    @Test(arguments: Sender.allCases, Bound.allCases)
    func `streams that send all they can get much the same`(sender: Sender, bound: Bound) throws {
        var configuration = RPCConfiguration()
        if bound == .credit {
            configuration.connectionCreditBytes = 32 << 10
        } else {
            configuration.streamCreditBytes = 64 << 20
            configuration.connectionCreditBytes = 256 << 20
        }
        // Fewer than there are streams wait at once.
        configuration.connection.highWatermark = 16 << 10
        configuration.connection.lowWatermark = 4 << 10
        let message = Sample.text(1_000)
        let shares = Shares()
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Flood.sink, on: .loop) { messages, _ in
            for try await message in messages { shares.note(Int(message[0])) }
            return []
        }
        handlers.handle(Flood.pour, on: .loop) { request, replies, _ in
            for _ in 0..<Self.messages { try await replies.send(request + message) }
        }
        let world = try RPCWorld(configuration: configuration, handlers: handlers)
        let connection = try world.connect(configuration)
        try world.negotiate(connection)
        if bound != .turn { world.network.faults.bytesPerSecond = 2_000_000 }
        for stream in 0..<UInt8(Self.streams) {
            _ = world.start {
                switch sender {
                case .client:
                    _ = try await connection.call(Flood.sink) { messages in
                        for _ in 0..<Self.messages {
                            try await messages.send([stream] + message)
                        }
                    }
                case .server:
                    try await connection.call(Flood.pour, [stream]) { replies in
                        for try await reply in replies { shares.note(Int(reply[0])) }
                    }
                }
            }
        }
        world.network.run(for: .seconds(20))
        // 20 were each one's share; the first began while there was no other.
        let least = shares.all.min() ?? 0
        #expect(least >= 15)
    }

    @Test func `a time at which nothing can be sent is nobody's turn`() throws {
        let world = try RPCWorld()
        let connection = try world.connect()
        try world.negotiate(connection)
        let peer = connection.peer
        let before = peer.areStreamsFirst
        peer.flushWaiting()
        #expect(peer.areStreamsFirst == before)
    }
}
