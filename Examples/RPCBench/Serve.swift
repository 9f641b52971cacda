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

    @Option(help: "Jobs of tasks in one turn of a loop, after which what was written is sent.")
    var flushJobs = EventLoop.Configuration().jobsPerFlushMax

    @Option(help: "Microseconds that a loop looks for more before it sleeps.")
    var idlePoll = 0

    @Flag(help: "Serve longwire.Health and longwire.Reflection too.")
    var introspection = false

    func validate() throws {
        guard (1...1_024).contains(loops) else {
            throw ValidationError("--loops must be from 1 to 1024.")
        }
        guard flushJobs > 0 else { throw ValidationError("--flush-jobs must be at least 1.") }
        guard idlePoll >= 0 else { throw ValidationError("--idle-poll must not be negative.") }
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

    private func handleStreams(_ handlers: inout RPCHandlers) {
        handlers.handle(Bench.flood) { request, outbound, _ in
            guard var left = Int(String(decoding: request, as: UTF8.self)), left >= 0 else {
                throw RPCError(.invalidArgument, "not a number of bytes")
            }
            let message = [UInt8](repeating: UInt8(ascii: "f"), count: 64 << 10)
            while left > 0 {
                try await outbound.send(left < message.count ? Array(message[..<left]) : message)
                left -= message.count
            }
        }
        handlers.handle(Bench.drain) { inbound, _ in
            var bytes = 0
            for try await message in inbound { bytes += message.count }
            return Array(String(bytes).utf8)
        }
    }

    /// A line each: "left MILLISECONDS" or "no deadline", and "KEY: VALUE".
    private static func seen(_ context: RPCContext) -> String {
        let now = context.connection.loop.clock.now
        var lines = [
            context.deadline.map { "left \(($0 - now) / .milliseconds(1))" } ?? "no deadline"
        ]
        lines += context.metadata.entries.map { "\($0.key): \($0.value)" }
        return lines.joined(separator: "\n")
    }

    private func serve() async throws {
        var handlers = RPCHandlers()
        switch executor {
        case .pool: handlers.handle(Bench.echo) { request, _ in request }
        case .loop: handlers.handle(Bench.echo, on: .loop) { request, _ in request }
        case .inline: handlers.handleBytesInline(Bench.echo) { $2.append($0) }
        }
        handleStreams(&handlers)
        handlers.handle(Bench.sleep) { request, _ in
            guard let milliseconds = Int(String(decoding: request, as: UTF8.self)),
                (0...3_600_000).contains(milliseconds)
            else { throw RPCError(.invalidArgument, "not milliseconds up to an hour") }
            try await Task.sleep(for: .milliseconds(milliseconds))
            return request
        }
        handlers.handle(Bench.seen) { _, context in Array(Self.seen(context).utf8) }
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = loops
        configuration.loop.jobsPerFlushMax = flushJobs
        configuration.loop.idlePollTime = .microseconds(idlePoll)
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
