import ArgumentParser
import RPC

/// Serves and drives a service for measurements.
@main
struct RPCBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc-bench",
        abstract: "Serves and drives RPC calls, for measurements.",
        subcommands: [Serve.self, Load.self], defaultSubcommand: Serve.self)
}

/// What both sides know.
enum Bench: RPCService {
    static let serviceName = "bench.Echo"
    /// Gives the same bytes back.
    static let echo = unary("Echo", [UInt8].self, [UInt8].self)
    /// Takes milliseconds in decimal, and answers with them after that time.
    static let sleep = unary("Sleep", [UInt8].self, [UInt8].self)
}

/// Ends the program with one clear line and exit code 1.
struct CleanFailure: Error, CustomStringConvertible {
    let description: String
}
