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
}
