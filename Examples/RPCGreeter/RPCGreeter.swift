import ArgumentParser
import NetPoll
import RPC

/// Serves a greeter, or calls one in every shape a call can have.
@main
struct RPCGreeter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc-greeter",
        abstract: "Serves greet.Greeter, or calls it in all four shapes.",
        subcommands: [Serve.self, Greet.self], defaultSubcommand: Serve.self)
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves until a signal ends the process.")

    @Option(help: "The numeric address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port: UInt16 = 4_001

    @Flag(help: "Compress long messages, to clients that do so too.")
    var compression = false

    func run() async throws {
        let group = try EventLoopGroup()
        var configuration = RPCConfiguration()
        if compression { configuration.compression = .zlib }
        let server = RPCServer(
            group: group, handlers: Greeter.handlers, configuration: configuration)
        let address = try await server.listen(on: SocketAddress(host: host, port: port))
        print("rpc-greeter serves greet.Greeter on \(address)")
        // Until a signal ends the process.
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }
}

struct Greet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Calls a server in all four shapes.")

    @Option(help: "The server's numeric address.")
    var host = "127.0.0.1"

    @Option(help: "The server's port.")
    var port: UInt16 = 4_001

    @Argument(help: "Whom to greet.")
    var names = ["Ada", "Grace"]

    func run() async throws {
        let group = try EventLoopGroup()
        let connection = try await RPCConnection.connect(
            to: SocketAddress(host: host, port: port), on: group.loops[0])
        for name in names {
            let reply = try await connection.call(Greeter.sayHello, HelloRequest(name: name))
            print(reply.text)
        }
        try await connection.call(Greeter.count, Countdown(from: 3)) { numbers in
            for try await number in numbers { print("counts \(number.value)") }
        }
        let sum = try await connection.call(Greeter.add) { numbers in
            for value in 1...10 { try await numbers.send(Number(value: value)) }
        }
        print("the sum of 1 to 10 is \(sum.value)")
        try await connection.call(Greeter.greetEach) { requests, replies in
            for name in names { try await requests.send(HelloRequest(name: name)) }
            requests.finish()
            for try await reply in replies { print("each: \(reply.text)") }
        }
        connection.drain()
        await group.shutdown()
    }
}
