import ConnPool
import NetPoll
import NetPollTesting
import Testing

@testable import RPC

private enum Silent: RPCService {
    static let serviceName = "test.Silent"
    static let listen = serverStreaming("Listen", [UInt8].self, [UInt8].self)
}

@Suite("What is a mistake of the program")
struct MisuseTests {
    @Test func `two handlers of one name trap`() async {
        await #expect(processExitsWith: .failure) {
            var handlers = RPCHandlers()
            handlers.handle(Echo.echo) { request, _ in request }
            handlers.handleBytesInline(Echo.echo) { request, _, reply in reply.append(request) }
        }
    }

    @Test func `methods of one name in two services are two`() throws {
        var handlers = RPCHandlers()
        handlers.handle(Echo.echo, on: .loop) { _, _ in [1] }
        let other = UnaryMethod<[UInt8], [UInt8]>(named: Echo.echo.name, of: "test.Other")
        handlers.handle(other, on: .loop) { _, _ in [2] }
        let world = try RPCWorld(handlers: handlers)
        let connection = try world.connect()
        #expect(try world.run { try await connection.call(Echo.echo, []) } == [1])
        #expect(try world.run { try await connection.call(other, []) } == [2])
    }

    @Test func `an error with the status of success traps`() async {
        await #expect(processExitsWith: .failure) { _ = RPCError(.ok) }
    }

    @Test func `a client on no loop traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = RPCClient(to: .address(.v4(0x0100_007f, port: 1)), on: [])
        }
    }

    @Test func `two tasks that read from one stream trap`() async {
        await #expect(processExitsWith: .failure) {
            var handlers = RPCHandlers()
            handlers.handle(Silent.listen, on: .loop) { _, _, _ in
                let (stream, continuation) = AsyncStream<Void>.makeStream()
                for await _ in stream {}
                withExtendedLifetime(continuation) {}
            }
            let world = try RPCWorld(handlers: handlers)
            let connection = try world.connect()
            _ = world.start {
                try await connection.call(Silent.listen, []) { replies in
                    try await withThrowingTaskGroup { tasks in
                        for _ in 0..<2 {
                            tasks.addTask { for try await _ in replies {} }
                        }
                        try await tasks.waitForAll()
                    }
                }
            }
            world.network.runUntilIdle()
        }
    }

    @Test func `a decoder that failed is not asked again`() async {
        await #expect(processExitsWith: .failure) {
            var decoder = FrameDecoder()
            // Expected; the next call is what is tested.
            _ = try? decoder.frames(in: [1, 0, 0, 0, 0, 0, 0, 1, 3, 0])
            _ = try decoder.frames(in: [0])
        }
    }
}
