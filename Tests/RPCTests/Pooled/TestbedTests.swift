import NetPoll
import NetPollTesting
import RPC
import RPCTesting
import Testing

@Suite("RPCTestbed")
struct TestbedTests {
    private enum Clock: RPCService {
        static let serviceName = "test.Clock"
        static let nap = unary("Nap", [UInt8].self, [UInt8].self)
        static let count = serverStreaming("Count", [UInt8].self, [UInt8].self)
    }

    private var handlers: RPCHandlers {
        var handlers = RPCHandlers()
        // Registered for the global pool, as handlers of a real server are.
        handlers.handle(Clock.nap) { request, context in
            try await context.connection.loop.clock.sleep(for: .seconds(3_600))
            return request
        }
        handlers.handle(Clock.count) { request, replies, _ in
            for number in request { try await replies.send([number]) }
        }
        return handlers
    }

    @Test func `a handler's hour passes at once`() throws {
        let bed = try RPCTestbed(handlers: handlers)
        let client = bed.makeClient()
        let begin = bed.network.now
        let reply = try bed.run(within: .seconds(7_200)) {
            try await client.call(Clock.nap, [1], options: CallOptions(timeout: .seconds(7_200)))
        }
        #expect(reply == [1])
        #expect(bed.network.now - begin >= .seconds(3_600))
    }

    @Test func `streams work as they do elsewhere`() throws {
        let bed = try RPCTestbed(handlers: handlers)
        let client = bed.makeClient()
        let sum = try bed.run {
            try await client.call(Clock.count, [1, 2, 3]) { numbers in
                try await numbers.reduce(0) { $0 + Int($1[0]) }
            }
        }
        #expect(sum == 6)
    }

    @Test func `a body that does not end is reported`() throws {
        let bed = try RPCTestbed(handlers: handlers)
        let client = bed.makeClient()
        #expect(throws: RPCTestbedError.self) {
            try bed.run(within: .seconds(10)) {
                _ = try await client.call(
                    Clock.nap, [], options: CallOptions(timeout: .seconds(60)))
            }
        }
    }
}
