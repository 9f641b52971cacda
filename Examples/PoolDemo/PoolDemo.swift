import ArgumentParser
import ConnPool
import NetPoll
import Synchronization

/// A load of callers on a flaky local server through a pool, with a live table of what the pool does.
@main
struct PoolDemo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool-demo",
        abstract: "Watch a connection pool keep its callers from a flaky server's failures.")

    @Option(help: "Tasks that ask, one request after another.")
    var callers = 64

    @Option(help: "The most connections of the pool.")
    var connections = 8

    @Option(help: "How long to run, in seconds.")
    var seconds = 30

    @Option(help: "How many of 1,000 answers are a reset instead.")
    var resets = 5

    @Option(help: "How often the server is killed and restarted, in seconds; 0: never.")
    var restartEvery = 7

    @Flag(help: "Print one line per second instead of a table that changes in place.")
    var plain = false

    func validate() throws {
        guard callers > 0, connections > 0, seconds > 0, restartEvery >= 0,
            (0...1_000).contains(resets)
        else { throw ValidationError("callers, connections and seconds are positive numbers") }
    }

    func run() async throws {
        let server = FlakyServer(resetsPerThousand: resets)
        let address = try await server.start()
        let group = try EventLoopGroup()
        var configuration = PoolConfiguration()
        configuration.connectionsMax = connections
        configuration.idleTimeout = .seconds(5)
        configuration.lifetimeMax = .seconds(10)
        configuration.leakThreshold = .seconds(10)
        configuration.backoff = Backoff(base: .milliseconds(50), cap: .seconds(1))
        var tcp = TCPPoolConfiguration()
        tcp.connect.options.noDelay = true
        let pool = TCPConnectionPool(
            to: .address(address), on: group.loops, configuration: configuration, tcp: tcp)
        let load = Load(pool: pool, callers: callers, loops: group.loops)

        let running = Task { await load.run() }
        let table = Table(pool: pool, load: load, isPlain: plain)
        let listening = Task { await table.listen() }
        for second in 1...seconds {
            try await Task.sleep(for: .seconds(1))
            table.show(second: second)
            if restartEvery > 0, second % restartEvery == 0 {
                try await server.restart(on: address)
            }
        }
        load.stop()
        await running.value
        await pool.drain(until: pool.now + .seconds(5))
        await listening.value
        await group.shutdown()
        await server.stop()
    }
}
