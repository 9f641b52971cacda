import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

/// A line server of handlers on a simulated network, and a pool of connections to it.
final class TCPWorld {
    /// What the server does.
    final class Script: Sendable {
        struct State {
            /// The connections that are open, by their loop's names.
            var open: [ConnectionID] = []
            var accepted = 0
            var answers = true
            var greeting: String?
        }

        let state = Mutex(State())

        var accepted: Int { state.withLock { $0.accepted } }
        var open: [ConnectionID] { state.withLock { $0.open } }
    }

    /// Answers what it gets with the same.
    final class Echo: ConnectionHandler, Sendable {
        let script: Script

        init(_ script: Script) { self.script = script }

        func opened(_ connection: Connection) {
            let greeting = script.state.withLock { state in
                state.accepted += 1
                state.open.append(connection.id)
                return state.greeting
            }
            if let greeting { connection.write(greeting.utf8Span.span.bytes) }
        }

        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            guard script.state.withLock({ $0.answers }) else { return }
            connection.write(bytes.bytes)
        }

        func closed(_ connection: Connection, reason: CloseReason) {
            script.state.withLock { $0.open.removeAll { $0 == connection.id } }
        }
    }

    let network: SimulatedNetwork
    let loop: EventLoop
    let script = Script()
    let listener: Listener
    let pool: TCPConnectionPool

    init(
        host: String? = nil, configure: (inout PoolConfiguration) -> Void = { _ in },
        tcp change: (inout TCPPoolConfiguration, EventLoop) throws -> Void = { _, _ in }
    ) throws {
        network = SimulatedNetwork()
        loop = network.makeLoop()
        let script = script
        listener = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 7)) { _, _ in
            Echo(script)
        }
        var configuration = PoolConfiguration()
        configuration.lifetimeJitter = 0
        configure(&configuration)
        var tcp = TCPPoolConfiguration()
        try change(&tcp, loop)
        pool = TCPConnectionPool(
            to: host.map { .host($0, port: 7) } ?? .address(listener.address), on: [loop],
            configuration: configuration, tcp: tcp)
    }

    /// The server's end of its connection number `index`.
    func serverEnd(_ index: Int) throws -> Connection {
        let id = script.open[index]
        return try #require(loop.connection(id))
    }

    func run<Result: Sendable>(
        within time: Duration = .seconds(600),
        _ body: @escaping @Sendable (TCPConnectionPool) async throws -> Result
    ) throws -> Result {
        let outcome = Outcome<Result>()
        let pool = pool
        Task(executorPreference: loop) {
            do {
                outcome.set(.success(try await body(pool)))
            } catch {
                outcome.set(.failure(error))
            }
        }
        let isDone = network.run(within: time) { outcome.value != nil }
        try #require(isDone, "not done within \(time)")
        return try #require(outcome.value).get()
    }

    /// Sends a line and waits for its echo.
    @discardableResult
    func ask(_ text: String = "hello") throws -> String {
        try run { try await $0.withConnection { try await $0.ask(text) } }
    }

    private final class Outcome<Value: Sendable>: Sendable {
        private let stored = Mutex<Result<Value, any Error>?>(nil)

        var value: Result<Value, any Error>? { stored.withLock { $0 } }

        func set(_ result: Result<Value, any Error>) { stored.withLock { $0 = result } }
    }
}

/// The peer ended in the middle of an answer.
struct EarlyEnd: Error {}

extension AsyncConnection {
    /// Sends `text` and waits for as many bytes.
    func ask(_ text: String) async throws -> String {
        try await write(text)
        var bytes: [UInt8] = []
        var inbound = inbound.makeAsyncIterator()
        while bytes.count < text.utf8.count {
            guard let more = try await inbound.next() else { throw EarlyEnd() }
            bytes += more
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
