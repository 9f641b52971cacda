import AllocationCounter
import ConnPool
import NetPoll
import RPC
import Synchronization

/// What calls allocate on each side, on real loops and sockets: the client's thread is the one that
/// its tasks run on, and all others are the server's.
struct CallAllocations {
    private enum Echo: RPCService {
        static let serviceName = "run.Echo"
        static let inline = unary("Inline", [UInt8].self, [UInt8].self)
        static let loop = unary("Loop", [UInt8].self, [UInt8].self)
        static let pool = unary("Pool", [UInt8].self, [UInt8].self)
    }

    /// Of one call.
    struct PerCall {
        var client = 0.0
        var server = 0.0
    }

    private static let inFlight = 64
    private static let (warmUp, counted) = (50_000, 50_000)

    private let group: EventLoopGroup
    private let server: RPCServer
    private let clients: EventLoopGroup
    private let client: RPCClient
    private let connection: RPCConnection

    init() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        group = try EventLoopGroup(configuration: configuration)
        clients = try EventLoopGroup(configuration: configuration)
        var handlers = RPCHandlers()
        handlers.handleBytesInline(Echo.inline) { request, _, reply in reply.append(request) }
        handlers.handle(Echo.loop, on: .loop) { request, _ in request }
        handlers.handle(Echo.pool) { request, _ in request }
        server = RPCServer(group: group, handlers: handlers)
        let address = try await server.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
        client = RPCClient(to: .address(address), on: clients.loops)
        connection = try await RPCConnection.connect(to: address, on: clients.loops[0])
    }

    func close() async {
        connection.close()
        await client.close()
        await clients.shutdown()
        await group.shutdown()
    }

    private static let options = CallOptions(
        timeout: .seconds(10), metadata: ["trace": "0123456789abcdef"])

    /// As ``inline()``, without a client around the connection.
    func inlineOnConnection() async throws -> PerCall {
        try await measure { [connection] request in
            try await connection.callBytes(Echo.inline, request, options: Self.options) {
                $0.byteCount
            }
        }
    }

    /// Of calls through a client whose replies are lent, with a deadline and metadata, to a handler within the event.
    func inline() async throws -> PerCall {
        try await measure { [client] request in
            try await client.callBytes(Echo.inline, request, options: Self.options) {
                $0.byteCount
            }
        }
    }

    /// Of calls with a deadline and metadata to a task on the loop.
    func onLoop() async throws -> PerCall { try await measure(Echo.loop) }

    /// Of calls with a deadline and metadata to a task on the global pool.
    func onPool() async throws -> PerCall { try await measure(Echo.pool) }

    private func measure(_ method: UnaryMethod<[UInt8], [UInt8]>) async throws -> PerCall {
        try await measure { [client] request in
            try await client.call(method, request, options: Self.options).count
        }
    }

    /// The counters at one moment, read on the client's thread.
    private struct Reading: Sendable {
        let own = allocation_counter_count()
        let all = allocation_counter_total()
    }

    private final class Progress: Sendable {
        let made = Atomic<Int>(0)
        let readings = Mutex<[Reading]>([])

        /// A call was made; whether further ones are wanted.
        func advance() -> Bool {
            let made = made.add(1, ordering: .relaxed).newValue
            if made == warmUp || made == warmUp + counted {
                let reading = Reading()
                readings.withLock { $0.append(reading) }
            }
            return made < warmUp + counted
        }
    }

    private func measure(
        _ call: @escaping @Sendable ([UInt8]) async throws -> Int
    ) async throws -> PerCall {
        let progress = Progress()
        progress.readings.withLock { $0.reserveCapacity(2) }
        let loop = clients.loops[0]
        allocation_counter_watch_all(true)
        defer { allocation_counter_watch_all(false) }
        try await withThrowingTaskGroup { tasks in
            for _ in 0..<Self.inFlight {
                tasks.addTask(executorPreference: loop) {
                    let request = [UInt8](repeating: 7, count: 64)
                    repeat {
                        guard try await call(request) == 64 else { throw RPCError(.dataLoss) }
                    } while progress.advance()
                }
            }
            try await tasks.waitForAll()
        }
        let readings = progress.readings.withLock { $0 }
        guard readings.count == 2 else { fatalError("\(readings.count) readings") }
        let own = readings[1].own - readings[0].own
        let all = readings[1].all - readings[0].all
        let calls = Double(Self.counted)
        return PerCall(client: Double(own) / calls, server: Double(all - own) / calls)
    }
}
