import ConnPool
public import NetPoll
public import NetPollTesting
public import RPC
import Synchronization

/// A server and its clients on a network in memory, in the test's own thread: to test a service
/// without a socket and without waiting.
///
///     @Test func `Ada is greeted`() throws {
///         let bed = try RPCTestbed(handlers: Greeter.handlers)
///         let client = bed.makeClient()
///         let reply = try bed.run {
///             try await client.call(Greeter.sayHello, HelloRequest(name: "Ada"))
///         }
///         #expect(reply.text == "Hello, Ada")
///     }
///
/// All of RPC runs as it does elsewhere, frames and all; only the sockets and the clock are not real.
/// Handlers run as tasks on the simulated loop, wherever they were registered to run. What they
/// await must end there, too: time that passes is the loop's (`context.connection.loop.clock`), and
/// passes as fast as there is nothing else to do.
///
/// Not `Sendable`: it belongs to the test's thread.
public final class RPCTestbed {
    /// To move the clock, cut connections, and so on.
    public let network: SimulatedNetwork
    /// The server, which listens on ``address``.
    public let server: RPCServer
    /// Where the server listens.
    public let address: SocketAddress
    /// The loop that everything runs on.
    public let loop: EventLoop

    /// - Parameters:
    ///   - handlers: What the server serves.
    ///   - configuration: Bounds and times of the server's connections.
    ///   - admission: Which calls the server runs.
    ///   - faults: What goes wrong on the network, and how often. Default: nothing.
    ///   - seed: What faults are drawn from.
    /// - Throws: ``RPCTestbedError``.
    public init(
        handlers: RPCHandlers, configuration: RPCConfiguration = .init(),
        admission: RPCAdmission = .init(), faults: Faults = Faults(), seed: UInt64 = 0
    ) throws {
        network = SimulatedNetwork(seed: seed, faults: faults)
        let group = network.makeGroup()
        loop = group.loops[0]
        let server = RPCServer(
            group: group, handlers: handlers.onLoop, configuration: configuration,
            admission: admission)
        self.server = server
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        address = try Self.run(on: network, loop, within: .seconds(1)) {
            try await server.listen(on: any)
        }
    }

    /// A client of the server.
    ///
    /// - Parameters:
    ///   - configuration: Bounds, times and policies.
    ///   - handlers: What the server may call.
    /// - Returns: The client.
    public func makeClient(
        configuration: RPCClientConfiguration = .init(), handlers: RPCHandlers = .init()
    ) -> RPCClient {
        RPCClient(
            to: .address(address), on: [loop], configuration: configuration,
            handlers: handlers.onLoop)
    }

    /// Runs `body` in a task on the loop until it ends; the clock moves whenever nothing else is to be
    /// done.
    ///
    /// - Parameters:
    ///   - duration: How far the clock may move. Default 10 minutes.
    ///   - body: Calls and checks.
    /// - Returns: What `body` gives.
    /// - Throws: What `body` throws, and ``RPCTestbedError`` where it does not end in time.
    public func run<Result: Sendable>(
        within duration: Duration = .seconds(600),
        _ body: @escaping @Sendable () async throws -> Result
    ) throws -> Result {
        try Self.run(on: network, loop, within: duration, body)
    }

    private static func run<Result: Sendable>(
        on network: SimulatedNetwork, _ loop: EventLoop, within duration: Duration,
        _ body: @escaping @Sendable () async throws -> Result
    ) throws -> Result {
        let place = OutcomePlace<Result>()
        let task = Task(executorPreference: loop) {
            do {
                place.put(.success(try await body()))
            } catch {
                place.put(.failure(error))
            }
        }
        _ = network.run(within: duration) { place.outcome != nil }
        guard let outcome = place.outcome else {
            task.cancel()
            throw RPCTestbedError(waited: duration)
        }
        return try outcome.get()
    }
}

/// The body of ``RPCTestbed/run(within:_:)`` did not end: it waits for something that is not on the
/// simulated loop, or longer than it may.
public struct RPCTestbedError: Error, Hashable, Sendable, CustomStringConvertible {
    /// How far the clock was moved.
    public let waited: Duration

    public var description: String { "not done within \(waited) of simulated time" }
}

/// Where a task leaves what it came to.
private final class OutcomePlace<Value: Sendable>: Sendable {
    private let place = Mutex<Result<Value, any Error>?>(nil)

    var outcome: Result<Value, any Error>? { place.withLock { $0 } }

    func put(_ outcome: Result<Value, any Error>) { place.withLock { $0 = outcome } }
}
