import NetPoll
import NetPollTesting
import Testing

@testable import RPC

@Suite("The send queue of a client, simulated", .timeLimit(.minutes(10)))
struct SendQueueTests {
    private enum Size: RPCService {
        static let serviceName = "test.Size"
        /// Answers shortly.
        static let weigh = unary("Weigh", [UInt8].self, [UInt8].self)
    }

    private static func makeWorld(
        _ configuration: RPCConfiguration
    ) throws -> (RPCWorld, RPCConnection) {
        var handlers = RPCWorld.handlers(Witness())
        handlers.handleBytesInline(Size.weigh) { request, _, reply in
            reply.append([UInt8(truncatingIfNeeded: request.byteCount)])
        }
        let world = try RPCWorld(handlers: handlers)
        let connection = try world.connect(configuration)
        try world.negotiate(connection)
        return (world, connection)
    }

    /// As many calls as are in flight by default, and long ones to a plain peer.
    @Test(arguments: [(1_024, 20 << 10, true), (5, 4_000_000, false)])
    func `a request that the queue has no room for fails, and no other call with it`(
        calls: Int, bytes: Int, negotiates: Bool
    ) throws {
        var configuration = RPCConfiguration()
        configuration.negotiatesExtensions = negotiates
        let (world, connection) = try Self.makeWorld(configuration)
        world.network.faults.bytesPerSecond = 10_000_000
        let request = [UInt8](repeating: 1, count: bytes)
        let running = (0..<calls).map { _ in
            world.start { try await connection.call(Size.weigh, request) }
        }
        world.network.run(for: .milliseconds(1))
        let refused = running.filter { $0.isOver }
        // All but the last sixteenth of the queue, and what is on its way, is used.
        #expect((1...(calls - (14 << 20) / bytes)).contains(refused.count))
        for call in refused {
            #expect(call.error?.code == .resourceExhausted)
            #expect(call.error?.execution == .notRun)
        }
        world.network.run(for: .seconds(5))
        let answered = running.filter { $0.value == [UInt8(truncatingIfNeeded: bytes)] }
        #expect(answered.count == calls - refused.count)
        let next = try world.run { try await connection.call(Size.weigh, request) }
        #expect(next == [UInt8(truncatingIfNeeded: bytes)])
    }

    @Test func `the ends of calls have room in a queue that is full of requests`() throws {
        var configuration = RPCConfiguration()
        configuration.connection.sendQueueBytesMax = 1 << 20
        let (world, connection) = try Self.makeWorld(configuration)
        world.network.faults.bytesPerSecond = 100
        // The short ones fill what the long ones leave.
        let running = (0..<800).map { number in
            world.start {
                let request = [UInt8](repeating: 1, count: number < 50 ? 30_000 : 100)
                let options = CallOptions(timeout: .seconds(1))
                return try await connection.call(Size.weigh, request, options: options)
            }
        }
        world.network.run(for: .milliseconds(900))
        let refused = running.count { $0.isOver }
        #expect((1..<800).contains(refused))
        let before = connection.peer.connection.queuedBytes
        world.network.run(for: .milliseconds(200))
        let (over, lost) = (
            running.count { $0.isOver }, running.count { $0.error?.code == .unavailable }
        )
        #expect(over == 800 && lost == 0)
        let after = connection.peer.connection.queuedBytes
        #expect(before <= 1 << 20 - 1 << 16 && after > before)
        #expect(!connection.peer.isClosed)
    }

    private enum Flow: RPCService {
        static let serviceName = "test.Flow"
        static let pour = serverStreaming("Pour", [UInt8].self, [UInt8].self)
    }

    /// Less than a frame's header, that, and less than a whole frame.
    @Test(arguments: [1, 9, 10, 63])
    func `a client's queue that takes no frame refuses calls, and keeps its connection`(
        bytes: Int
    ) throws {
        var configuration = RPCConfiguration()
        configuration.connection.sendQueueBytesMax = bytes
        let world = try RPCWorld()
        let connection = try world.connect(configuration)
        let request = [UInt8](repeating: 1, count: 64)
        for _ in 0..<3 {
            let call = world.start { try await connection.call(Echo.echo, request) }
            let stream = world.start {
                try await connection.call(Flow.pour, request) { for try await _ in $0 {} }
            }
            world.network.runUntilIdle()
            for error in [call.error, stream.error] {
                #expect(error?.code == .resourceExhausted)
                #expect(error?.execution == .notRun)
            }
        }
        #expect(!connection.peer.isClosed)
        #expect(world.witness.started == 0)
        let left = connection.peer.core.outgoing.count
        #expect(left == 0)
    }

    @Test(arguments: [1, 9, 10, 63], [true, false])
    func `a server's queue that takes no frame serves who takes replies at once, and loses others`(
        bytes: Int, takesAll: Bool
    ) throws {
        var configuration = RPCConfiguration()
        configuration.connection.sendQueueBytesMax = bytes
        var handlers = RPCWorld.handlers(Witness())
        handlers.handle(Flow.pour, on: .loop) { request, replies, _ in
            for _ in 0..<(request.first ?? 0) { try await replies.send(request) }
        }
        let world = try RPCWorld(configuration: configuration, handlers: handlers)
        let connection = try world.connect()
        try world.negotiate(connection)
        if !takesAll { world.network.faults.bytesPerSecond = 10_000 }
        let count: UInt8 = takesAll ? 5 : 100
        let request = [count] + Sample.text(4_000)
        let call = world.start { try await connection.call(Echo.echo, request) }
        let stream = world.start {
            try await connection.call(Flow.pour, request) { replies in
                var count: UInt8 = 0
                for try await reply in replies where reply == request { count += 1 }
                return count
            }
        }
        world.network.run(for: .seconds(20))
        #expect(call.isOver && stream.isOver)
        #expect(!takesAll || call.value == request)
        #expect(!takesAll || stream.value == count)
        #expect(takesAll || stream.error?.code == .unavailable)
    }
}
