import ArgumentParser
import ConnPool
import NetPoll
import RPC
import RPCDistributed

/// Serves a greeter, or calls one in every shape a call can have.
@main
struct RPCGreeter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rpc-greeter",
        abstract: "Serves greet.Greeter, or calls it in every way there is.",
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
        let actors = RPCActorSystem(methods: await Guestbook.methods)
        let guestbook = actors.named(Guestbook.name) { Guestbook(actorSystem: actors) }
        defer { withExtendedLifetime(guestbook) {} }
        var handlers = Greeter.handlers
        handlers.serve(actors)
        let server = RPCServer(group: group, handlers: handlers, configuration: configuration)
        let address = try await server.listen(on: SocketAddress(host: host, port: port))
        print("rpc-greeter serves greet.Greeter on \(address)")
        // Until a signal ends the process.
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }
}

struct Greet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Calls a server in all four shapes, one-way, as an actor, and lets it call back.",
        discussion: "Waits up to 30 s for a server that is not there yet.")

    @Option(help: "The server's numeric address.")
    var host = "127.0.0.1"

    @Option(help: "The server's port.")
    var port: UInt16 = 4_001

    @Argument(help: "Whom to greet.")
    var names = ["Ada", "Grace"]

    func run() async throws {
        let group = try EventLoopGroup()
        let client = RPCClient(
            to: .address(try SocketAddress(host: host, port: port)), on: group.loops,
            handlers: Visitor.handlers(name: names.first ?? "nobody"))
        try await greet(client)
        try await sign(client)
        await client.drain()
        await group.shutdown()
    }

    private func greet(_ client: RPCClient) async throws {
        for name in names {
            let reply = try await client.call(Greeter.sayHello, HelloRequest(name: name))
            print(reply.text)
        }
        do {
            _ = try await client.call(Greeter.sayHello, HelloRequest(name: ""))
        } catch {
            guard let refusal = error.typed(NameRefused.self) else { throw error }
            print("no name is refused: \(refusal.reason)")
        }
        print(try await client.call(Greeter.welcome, Nothing()).text)
        try await client.call(Greeter.count, Countdown(from: 3)) { numbers in
            for try await number in numbers { print("counts \(number.value)") }
        }
        let sum = try await client.call(Greeter.add) { numbers in
            for value in 1...10 { try await numbers.send(Number(value: value)) }
        }
        print("the sum of 1 to 10 is \(sum.value)")
        try await client.call(Greeter.greetEach) { requests, replies in
            for name in names { try await requests.send(HelloRequest(name: name)) }
            requests.finish()
            for try await reply in replies { print("each: \(reply.text)") }
        }
        for name in names { try await client.send(Greeter.sayGoodbye, HelloRequest(name: name)) }
    }

    private func sign(_ client: RPCClient) async throws {
        let actors = RPCActorSystem(client: client, methods: await Guestbook.methods)
        let guestbook = try Guestbook.resolve(id: RPCActorID(Guestbook.name), using: actors)
        for name in names {
            print("\(name) signs the guestbook as number \(try await guestbook.sign(name))")
        }
    }
}
