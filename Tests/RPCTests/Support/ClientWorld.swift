import ConnPool
import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import RPC

/// What servers of the client's tests serve.
enum Work: RPCService {
    static let serviceName = "test.Work"
    static let name = unary("Name", [UInt8].self, [UInt8].self)
    /// Ends when it is cancelled.
    static let wait = unary("Wait", [UInt8].self, [UInt8].self)
    static let waitAgain = unary("WaitAgain", [UInt8].self, [UInt8].self, .idempotent)
    /// Answers after so many milliseconds.
    static let sleep = unary("Sleep", [UInt8].self, [UInt8].self)
    static let sleepAgain = unary("SleepAgain", [UInt8].self, [UInt8].self, .idempotent)
    /// Fails with ``StatusCode/unavailable`` where its server is ill.
    static let tryIt = unary("Try", [UInt8].self, [UInt8].self)
    static let tryAgain = unary("TryAgain", [UInt8].self, [UInt8].self, .idempotent)
    static let count = serverStreaming("Count", [UInt8].self, [UInt8].self)
    static let gather = clientStreaming("Gather", [UInt8].self, [UInt8].self)
    static let mirror = bidirectional("Mirror", [UInt8].self, [UInt8].self)
    /// Reads nothing; fails as ``tryIt`` does.
    static let tryBoth = bidirectional("TryBoth", [UInt8].self, [UInt8].self)
}

/// A server of the client's tests.
final class Worker: Sendable {
    struct Counts {
        var started = 0
        var cancelled = 0
        var isIll = false
        var delay = Duration.zero
        var metadata: [RPCMetadata] = []
        var deadlines: [Instant?] = []
    }

    let name: UInt8
    let counts = Mutex(Counts())
    private let seat = Mutex<RPCServer?>(nil)

    init(_ name: UInt8) {
        self.name = name
    }

    var started: Int { counts.withLock { $0.started } }
    var cancelled: Int { counts.withLock { $0.cancelled } }

    var server: RPCServer? {
        get { seat.withLock { $0 } }
        set { seat.withLock { $0 = newValue } }
    }

    private func began(_ context: RPCContext) -> Counts {
        counts.withLock { counts in
            counts.started += 1
            counts.metadata.append(context.metadata)
            counts.deadlines.append(context.deadline)
            return counts
        }
    }

    private func wait(_ context: RPCContext) async {
        _ = began(context)
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        for await _ in stream {}
        withExtendedLifetime(continuation) {}
        counts.withLock { $0.cancelled += 1 }
    }

    private func sleep(_ request: [UInt8], _ context: RPCContext) async throws -> [UInt8] {
        let delay = began(context).delay
        do {
            try await context.connection.loop.clock.sleep(for: delay)
        } catch {
            counts.withLock { $0.cancelled += 1 }
            throw error
        }
        return [name]
    }

    private func tryIt(_ context: RPCContext) throws -> [UInt8] {
        if began(context).isIll { throw RPCError(.unavailable, "ill") }
        return [name]
    }

    var handlers: RPCHandlers {
        var handlers = RPCHandlers()
        handlers.handle(Work.name, on: .loop) { [self] _, context in
            _ = began(context)
            return [name]
        }
        handlers.handle(Work.wait, on: .loop) { [self] request, context in
            await wait(context)
            return request
        }
        handlers.handle(Work.waitAgain, on: .loop) { [self] request, context in
            await wait(context)
            return request
        }
        handlers.handle(Work.sleep, on: .loop) { [self] in try await sleep($0, $1) }
        handlers.handle(Work.sleepAgain, on: .loop) { [self] in try await sleep($0, $1) }
        handlers.handle(Work.tryIt, on: .loop) { [self] in try tryIt($1) }
        handlers.handle(Work.tryAgain, on: .loop) { [self] in try tryIt($1) }
        handlers.handle(Work.count, on: .loop) { [self] request, replies, context in
            _ = began(context)
            for number in request { try await replies.send([number]) }
        }
        handlers.handle(Work.gather, on: .loop) { requests, _ in
            var all: [UInt8] = []
            for try await request in requests { all += request }
            return all
        }
        handlers.handle(Work.mirror, on: .loop) { requests, replies, _ in
            for try await request in requests { try await replies.send(request) }
        }
        handlers.handle(Work.tryBoth, on: .loop) { [self] _, _, context in
            _ = try tryIt(context)
        }
        return handlers
    }
}

/// Servers and a client of all of them, on a simulated network, on one loop in the test's thread.
final class ClientWorld: SimulatedWorld {
    let network: SimulatedNetwork
    let group: EventLoopGroup
    let workers: [Worker]
    let addresses: [SocketAddress]
    let client: RPCClient

    init(
        servers: Int = 1, seed: UInt64 = 0, faults: Faults = Faults(),
        server: RPCConfiguration = .init(), admission: RPCAdmission = .init(),
        interceptors: [any RPCInterceptor] = [], clientHandlers: RPCHandlers = .init(),
        _ configure: (inout RPCClientConfiguration) -> Void = { _ in }
    ) throws {
        network = SimulatedNetwork(seed: seed, faults: faults)
        group = network.makeGroup()
        workers = (0..<servers).map { Worker(UInt8(ascii: "a") + UInt8($0)) }
        addresses = try (0..<servers).map {
            try SocketAddress(host: "10.0.0.\($0 + 1)", port: 4_000)
        }
        var configuration = RPCClientConfiguration()
        configuration.pool.pool.lifetimeJitter = 0
        configure(&configuration)
        let places = Dictionary(
            uniqueKeysWithValues: zip(workers.map { String(UnicodeScalar($0.name)) }, addresses))
        client = RPCClient(
            endpoints: places.keys.sorted().map { Endpoint(name: $0) }, on: [group.loops[0]],
            configuration: configuration, handlers: clientHandlers
        ) { endpoint in
            guard let address = places[endpoint.name] else {
                preconditionFailure("no endpoint \(endpoint.name)")
            }
            return .address(address)
        }
        for (worker, address) in zip(workers, addresses) {
            var handlers = worker.handlers
            handlers.interceptors = interceptors
            let made = RPCServer(
                group: group, handlers: handlers, configuration: server, admission: admission)
            worker.server = made
            _ = try run { try await made.listen(on: address) }
        }
    }

    /// A server dies: its connections are gone, and nobody listens.
    func kill(_ index: Int) {
        network.setRoute(.refused, to: addresses[index])
        for peer in workers[index].server?.peers(on: loop) ?? [] { peer.close() }
        network.runUntilIdle()
    }

    /// It is back, as another process.
    func restart(_ index: Int) { network.setRoute(.open, to: addresses[index]) }

    /// Calls `method` in a task.
    func call(
        _ method: UnaryMethod<[UInt8], [UInt8]>, _ options: CallOptions = .init()
    ) -> Running<[UInt8]> {
        let client = client
        let running = start { try await client.call(method, [], options: options) }
        network.runUntilIdle()
        return running
    }

    /// Calls once, so that there is a connection with extensions negotiated.
    func warm() throws {
        let client = client
        _ = try run { try await client.call(Work.name, []) }
        network.runUntilIdle()
    }

    var connections: Int {
        client.snapshot.pool.entries.reduce(0) { $0 + $1.pool.connections }
    }
}
