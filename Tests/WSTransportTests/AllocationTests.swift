import AllocationCounter
import LoopbackClient
import NetPoll
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("Allocations of a WebSocket echo", .timeLimit(.minutes(10)))
struct AllocationTests {
    private final class Echo: WebSocketHandler, Sendable {
        func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
            connection.send(message, kind: kind)
        }
    }

    /// Turns `loop` until the client has what it waits for; counts what the turns allocate.
    private func turn(
        _ loop: EventLoop, _ client: LoopbackClient, until expected: Int
    ) throws -> UInt64 {
        var used: UInt64 = 0
        let deadline = loop.now + .seconds(10)
        while client.received < expected {
            try #require(loop.now < deadline)
            let before = allocation_counter_count()
            loop.turn(until: loop.now + .milliseconds(10))
            used += allocation_counter_count() - before
            client.receive()
        }
        return used
    }

    private func makeServer(
        _ driver: DriverChoice
    ) async throws -> (EventLoop, WebSocketServer, SocketAddress) {
        let loop = EventLoop(driver: try Platform.makeDriver(driver))
        loop.bindToCurrentThread()
        let echo = Echo()
        let server = WebSocketServer(group: EventLoopGroup(loops: [loop])) { _, _, _ in
            .upgrade(echo)
        }
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        return (loop, server, try await server.listen(on: any))
    }

    @Test(
        .enabled(if: allocation_counter_is_active()), arguments: [64, 1_000, 16 << 10],
        [DriverChoice.epoll, .ioUring])
    func `an echo of a message allocates nothing`(
        messageBytes: Int, driver: DriverChoice
    ) async throws {
        let (loop, server, address) = try await makeServer(driver)
        try measure(loop, address, messageBytes)
        withExtendedLifetime(server) {}
    }

    @Test(.enabled(if: allocation_counter_is_active()), arguments: [64, 1_000, 16 << 10])
    func `an echo by a task allocates nothing and stays on its thread`(
        messageBytes: Int
    ) async throws {
        let loop = EventLoop(driver: try Platform.makeDriver())
        loop.bindToCurrentThread()
        let server = AsyncWebSocketServer(group: EventLoopGroup(loops: [loop]))
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        let address = try await server.listen(on: any)
        let strayed = Atomic<Int>(0)
        let task = Task(executorPreference: loop) {
            await server.serve { connection in
                for try await message in connection.messages {
                    if !loop.isCurrent { strayed.add(1, ordering: .relaxed) }
                    try await connection.send(message)
                }
            }
        }
        try measure(loop, address, messageBytes)
        #expect(strayed.load(ordering: .relaxed) == 0)
        task.cancel()
    }

    private func measure(_ loop: EventLoop, _ address: SocketAddress, _ messageBytes: Int) throws {
        // The thread may be another one after waiting for the server.
        loop.bindToCurrentThread()
        defer { loop.shutDown() }
        let client = try #require(LoopbackClient(port: address.port ?? 0))
        let handshake =
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        client.send(Array(handshake.utf8))
        let first = try turn(loop, client, until: 1)
        #expect(first > 0, "a handshake without allocating")
        let message = [UInt8](repeating: UInt8(ascii: "m"), count: messageBytes)
        let frame = FrameEncoder.frame(
            message.span.bytes, opcode: .text, maskingKey: MaskingKey(1, 2, 3, 4))
        let echoBytes = FrameEncoder.headerBytes(payloadBytes: messageBytes) + messageBytes
        func echo(_ rounds: Int) throws -> UInt64 {
            var used: UInt64 = 0
            for _ in 0..<rounds {
                client.send(frame)
                used += try turn(loop, client, until: client.received + echoBytes)
            }
            return used
        }
        _ = try echo(3)
        let used = try echo(100)
        #expect(used == 0)
        // Many messages of one read share their memory.
        let burst = max(1, (32 << 10) / messageBytes)
        let frames = [[UInt8]](repeating: frame, count: burst).flatMap(\.self)
        func echoBurst(_ rounds: Int) throws -> UInt64 {
            var used: UInt64 = 0
            for _ in 0..<rounds {
                client.send(frames)
                used += try turn(loop, client, until: client.received + burst * echoBytes)
            }
            return used
        }
        _ = try echoBurst(20)
        let usedByBursts = try echoBurst(50)
        #expect(usedByBursts == 0)
    }
}
