import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("WebSocketClient by tasks, simulated", .timeLimit(.minutes(10)))
struct AsyncWebSocketClientTests {
    private static func start<R: Sendable>(
        _ bench: AsyncBench, _ body: @escaping @Sendable () async throws -> R
    ) -> Outcome<R> {
        let outcome = Outcome<R>()
        let task = Task(executorPreference: bench.loop) {
            do {
                let value = try await body()
                outcome.result.withLock { $0 = .success(value) }
            } catch {
                outcome.result.withLock { $0 = .failure(error) }
            }
        }
        outcome.task.withLock { $0 = task }
        return outcome
    }

    /// What became of a task.
    private final class Outcome<R: Sendable>: Sendable {
        let result = Mutex<Result<R, any Error>?>(nil)
        let task = Mutex<Task<Void, Never>?>(nil)

        var value: R? { result.withLock { try? $0?.get() } }

        var error: (any Error)? {
            result.withLock {
                guard case .failure(let error)? = $0 else { return nil }
                return error
            }
        }
    }

    @Test func `tasks are given messages whole, whatever the configuration says`() async throws {
        let bench = try await AsyncBench()
        bench.serve(AsyncBench.echo)
        var configuration = WebSocketClient.Configuration()
        configuration.delivery = .pieces
        let client = WebSocketClient(group: bench.group, configuration: configuration)
        let request = try WebSocketRequest(url: "ws://127.0.0.1/path")
        let long = String(repeating: "in one piece", count: 20_000)
        let outcome = Self.start(bench) {
            try await client.withConnection(request, on: bench.loop) { connection in
                try await connection.send(text: long)
                for try await message in connection.messages { return message.text }
                return nil
            }
        }
        let isDone = bench.network.run(within: .seconds(10)) { outcome.value != nil }
        #expect(isDone && outcome.value == long)
    }

    @Test func `the longest message that may be received may be sent, as by a server`()
        async throws
    {
        let bench = try await AsyncBench()
        bench.serve(AsyncBench.echo)
        let client = WebSocketClient(group: bench.group)
        let request = WebSocketRequest(host: "127.0.0.1")
        let longest = ProtocolLimits().messageBytesMax
        let outcome = Self.start(bench) {
            try await client.withConnection(request, on: bench.loop) { connection in
                let message = [UInt8](repeating: 7, count: longest)
                try await connection.send(message.span.bytes, kind: .binary)
                for try await message in connection.messages { return message.bytes.count }
                return 0
            }
        }
        let isDone = bench.network.run(within: .seconds(10)) { outcome.value != nil }
        #expect(isDone && outcome.value == longest)
    }

    @Test func `a task opens, talks and closes`() async throws {
        let bench = try await AsyncBench(accept: { _, _, _ in .upgrade(subprotocol: "chat") })
        bench.serve(AsyncBench.echo)
        let client = WebSocketClient(group: bench.group)
        var request = try WebSocketRequest(url: "ws://127.0.0.1/path")
        request.subprotocols = ["chat"]
        let outcome = Self.start(bench) { [request] in
            try await client.withConnection(request, on: bench.loop) { connection in
                #expect(connection.loop.isCurrent)
                #expect(connection.subprotocol == "chat")
                #expect(connection.opening?.head.status == .switchingProtocols)
                #expect(connection.request == nil)
                #expect(connection.remoteAddress == bench.address)
                try await connection.send(text: "hello")
                try await connection.send(PreparedMessage(text: "again"))
                try await connection.send(([1, 2] as [UInt8]).span.bytes, kind: .binary)
                var answers: [String] = []
                for try await message in connection.messages {
                    answers.append(message.text ?? "\(Array(message.bytes))")
                    if answers.count == 3 { break }
                }
                _ = try await connection.ping()
                return answers
            }
        }
        bench.network.run(for: .seconds(1))
        #expect(outcome.value == ["hello", "again", "[1, 2]"])
        #expect(bench.outcomes.withLock { $0 } == [nil])
        #expect(bench.network.openDescriptors == 1)
    }

    @Test func `a refusal is thrown`() async throws {
        let bench = try await AsyncBench(accept: { _, _, _ in
            .respond(HTTPResponse(status: .forbidden))
        })
        let client = WebSocketClient(group: bench.group)
        let outcome = Self.start(bench) {
            try await client.connect(
                WebSocketRequest(host: "name.example"), at: bench.address, on: bench.loop)
        }
        bench.network.runUntilIdle()
        let error = outcome.error as? WebSocketClientError
        #expect(error?.reason == .handshake(WebSocketHandshakeError(.refused(.forbidden))))
        #expect(error?.destination == .address(bench.address))
    }

    @Test func `cancelling while it connects is told as such`() async throws {
        let bench = try await AsyncBench()
        let silent = try SocketAddress(host: "192.0.2.1", port: 80)
        bench.network.setRoute(.blackHole, to: silent)
        let client = WebSocketClient(group: bench.group)
        let outcome = Self.start(bench) {
            try await client.connect(WebSocketRequest(host: "a"), at: silent, on: bench.loop)
        }
        bench.network.run(for: .seconds(1))
        outcome.task.withLock { $0?.cancel() }
        bench.network.runUntilIdle()
        #expect((outcome.error as? WebSocketClientError)?.reason == .cancelled)
        #expect(bench.network.openDescriptors == 1)
    }

    @Test func `cancelling the task closes with 1001`() async throws {
        let bench = try await AsyncBench()
        let reasons = Mutex<[WebSocketCloseReason]>([])
        bench.serve { connection in
            for try await _ in connection.messages {}
            let reason = await connection.waitUntilClosed()
            reasons.withLock { $0.append(reason) }
        }
        let client = WebSocketClient(group: bench.group)
        let request = WebSocketRequest(host: "127.0.0.1")
        let outcome = Self.start(bench) {
            try await client.withConnection(request, on: bench.loop) { connection in
                for try await _ in connection.messages {}
            }
        }
        bench.network.run(for: .seconds(1))
        #expect(bench.server.connectionCount == 1)
        outcome.task.withLock { $0?.cancel() }
        bench.network.run(for: .seconds(1))
        #expect(outcome.error as? WebSocketError == .cancelled)
        #expect(reasons.withLock { $0 } == [.peer(.goingAway)])
        #expect(bench.server.connectionCount == 0)
    }

    @Test func `an unscoped iteration that is cancelled closes the WebSocket`() async throws {
        let bench = try await AsyncBench()
        bench.serve(AsyncBench.echo)
        let client = WebSocketClient(group: bench.group)
        let request = WebSocketRequest(host: "127.0.0.1")
        let outcome = Self.start(bench) {
            let connection = try await client.connect(request, on: bench.loop)
            for try await _ in connection.messages {}
        }
        bench.network.run(for: .seconds(1))
        outcome.task.withLock { $0?.cancel() }
        bench.network.run(for: .seconds(1))
        #expect(outcome.error as? WebSocketError == .cancelled)
        #expect(bench.server.connectionCount == 0)
    }

    @Test func `sending after the end throws why it ended`() async throws {
        let bench = try await AsyncBench()
        bench.serve { connection in _ = await connection.close(.tryAgainLater) }
        let client = WebSocketClient(group: bench.group)
        let request = WebSocketRequest(host: "127.0.0.1")
        let outcome = Self.start(bench) {
            let connection = try await client.connect(request, on: bench.loop)
            let reason = await connection.waitUntilClosed()
            #expect(reason == .peer(.tryAgainLater))
            connection.abort()
            try await connection.send(text: "too late")
        }
        bench.network.run(for: .seconds(10))
        #expect(outcome.error as? WebSocketError == .closed(.peer(.tryAgainLater)))
    }
}
