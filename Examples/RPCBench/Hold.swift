import ArgumentParser
import NetPoll
import RPC

/// Calls until the connection is lost, and says how each failing call ended.
struct Hold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Calls bench.Echo until the connection is lost; prints each failure.",
        discussion: """
            A line `connected` first, then one for every call that fails: its status, and the \
            milliseconds it took. Ends when the connection is lost.
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
        let connection = try await RPCConnection.connect(
            to: SocketAddress(host: host, port: port), on: group.loops[0],
            configuration: configuration)
        _ = try await connection.call(Bench.echo, [])
        print("connected")
        await withTaskGroup { tasks in
            for _ in 0..<inFlight { tasks.addTask { await call(connection) } }
        }
        await group.shutdown()
    }

    private func call(_ connection: RPCConnection) async {
        let clock = ContinuousClock()
        let options = CallOptions(timeout: .milliseconds(timeout))
        while true {
            let start = clock.now
            do throws(RPCError) {
                _ = try await connection.call(Bench.echo, [1, 2, 3], options: options)
            } catch {
                let (seconds, attoseconds) = (clock.now - start).components
                let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
                print("\(error.code.rawValue) \(milliseconds)")
                if error.code == .unavailable { return }
            }
        }
    }
}
