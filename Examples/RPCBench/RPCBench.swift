import ArgumentParser
import RPC

/// Serves and drives a service for measurements.
@main
struct RPCBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc-bench",
        abstract: "Serves and drives RPC calls, for measurements.",
        subcommands: [Serve.self, Load.self, Hold.self], defaultSubcommand: Serve.self)
}

/// What both sides know.
enum Bench: RPCService {
    static let serviceName = "bench.Echo"
    /// Gives the same bytes back.
    static let echo = unary("Echo", [UInt8].self, [UInt8].self)
    /// Takes milliseconds in decimal, and answers with them after that time.
    static let sleep = unary("Sleep", [UInt8].self, [UInt8].self)
    /// Answers with what came with the call: the milliseconds that it has left, and its metadata.
    static let seen = unary("Seen", [UInt8].self, [UInt8].self)
    /// Takes a number of bytes in decimal, and streams so many, 64 KiB in a message.
    static let flood = serverStreaming("Flood", [UInt8].self, [UInt8].self)
    /// Takes a stream, and answers with how many bytes it had, in decimal.
    static let drain = clientStreaming("Drain", [UInt8].self, [UInt8].self)
}

/// Ends the program with one clear line and exit code 1.
struct CleanFailure: Error, CustomStringConvertible {
    let description: String
}
