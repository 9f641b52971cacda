import ArgumentParser
import NetPoll
import RPC

struct Serve: AsyncParsableCommand {
    enum Executor: String, ExpressibleByArgument, CaseIterable {
        case pool
        case loop
        case inline
    }

    static let configuration = CommandConfiguration(
        abstract: "Serves bench.Echo until a signal ends the process.")

    @Option(help: "The numeric address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port: UInt16 = 4_000

    @Option(help: "Event loops, a thread each.")
    var loops = 1

    @Option(help: "Where Echo's handler runs: pool, loop (async), or inline (sync).")
    var executor = Executor.pool

    @Flag(help: "Serve longwire.Health and longwire.Reflection too.")
    var introspection = false

    func validate() throws {
        guard (1...1_024).contains(loops) else {
            throw ValidationError("--loops must be from 1 to 1024.")
        }
    }

    func run() async throws {
        do {
            try await serve()
        } catch let error as SystemError {
            throw CleanFailure(description: "\(error)")
        } catch let error as SocketAddressError {
            throw CleanFailure(description: "--host: \(error)")
        }
    }

    private func serve() async throws {
        var handlers = RPCHandlers()
        switch executor {
        case .pool: handlers.handle(Bench.echo) { request, _ in request }
        case .loop: handlers.handle(Bench.echo, on: .loop) { request, _ in request }
        case .inline: handlers.handleBytesInline(Bench.echo) { $2.append($0) }
        }
        handlers.handle(Bench.sleep) { request, _ in
            guard let milliseconds = Int(String(decoding: request, as: UTF8.self)),
                (0...3_600_000).contains(milliseconds)
            else { throw RPCError(.invalidArgument, "not milliseconds up to an hour") }
            try await Task.sleep(for: .milliseconds(milliseconds))
            return request
        }
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = loops
        let group = try EventLoopGroup(configuration: configuration)
        var settings = RPCConfiguration()
        settings.incomingCallsMax = 65_536
        if introspection { settings.introspection = .all }
        let server = RPCServer(group: group, handlers: handlers, configuration: settings)
        let address = try await server.listen(on: SocketAddress(host: host, port: port))
        print("rpc-bench serves bench.Echo on \(address) with \(loops) loops, executor \(executor)")
        // Until a signal ends the process.
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }
}
