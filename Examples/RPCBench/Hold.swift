import ArgumentParser
import ConnPool
import NetPoll
import RPC

/// Calls until the connection is lost, and says how each failing call ended.
struct Hold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Calls until the connection is lost; prints each failure.",
        discussion: """
            A line `connected` first, then one for every call that fails: its status, the \
            milliseconds it took, and whether it was run as far as is known (notRun, unknown or \
            answered). Ends when the connection is lost.
            """)

    @Option(help: "The server's numeric address.")
    var host = "127.0.0.1"

    @Option(help: "The server's port.")
    var port: UInt16 = 4_000

    @Option(help: "Calls in flight.")
    var inFlight = 16

    @Option(help: "Milliseconds after which a call ends.")
    var timeout = 1_000

    @Option(help: "Milliseconds of silence after which the server is pinged.")
    var pingInterval = 1_000

    @Option(help: "Milliseconds after which a silent server is given up.")
    var pingTimeout = 1_000

    @Option(help: "Calls bench.Sleep with so many milliseconds, and not bench.Echo.")
    var sleep: Int?

    @Flag(help: "Calls through an RPCClient, with its pool, retries and limits.")
    var client = false

    func validate() throws {
        guard (1...65_536).contains(inFlight), timeout > 0, pingInterval > 0, pingTimeout > 0 else {
            throw ValidationError("A number is out of range.")
        }
    }

    func run() async throws {
        var groupConfiguration = EventLoopGroup.Configuration()
        groupConfiguration.loops = 1
        let group = try EventLoopGroup(configuration: groupConfiguration)
        var configuration = RPCConfiguration()
        configuration.pingInterval = .milliseconds(pingInterval)
        configuration.pingTimeout = .milliseconds(pingTimeout)
        let address = try SocketAddress(host: host, port: port)
        let call: Call
        if client {
            var settings = RPCClientConfiguration()
            settings.connection = configuration
            let client = RPCClient(
                to: .address(address), on: group.loops, configuration: settings)
            call = { method, request, options in
                try await client.call(method, request, options: options)
            }
        } else {
            let connection = try await RPCConnection.connect(
                to: address, on: group.loops[0], configuration: configuration)
            call = { method, request, options in
                try await connection.call(method, request, options: options)
            }
        }
        _ = try await call(Bench.echo, [], CallOptions())
        print("connected")
        await withTaskGroup { tasks in
            for _ in 0..<inFlight { tasks.addTask { await hold(call) } }
        }
        await group.shutdown()
    }

    private typealias Call =
        @Sendable (UnaryMethod<[UInt8], [UInt8]>, [UInt8], CallOptions) async throws -> [UInt8]

    /// Calls until the connection is lost.
    private func hold(_ call: Call) async {
        let clock = ContinuousClock()
        let options = CallOptions(timeout: .milliseconds(timeout))
        let method = sleep == nil ? Bench.echo : Bench.sleep
        let request = sleep.map { Array("\($0)".utf8) } ?? [1, 2, 3]
        while true {
            let start = clock.now
            do {
                _ = try await call(method, request, options)
            } catch {
                guard let failure = error as? RPCError else { return print("\(error)") }
                let (seconds, attoseconds) = (clock.now - start).components
                let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
                print("\(failure.code.rawValue) \(milliseconds) \(failure.execution)")
                if failure.code == .unavailable { return }
            }
        }
    }
}
