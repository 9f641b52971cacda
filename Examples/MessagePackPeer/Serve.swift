import ArgumentParser
import MessagePackRPC
import NetPoll

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves add, echo, fail, sleep and relay until it is interrupted.",
        discussion: """
            add takes two integers, echo any bytes or text, fail a text that becomes the error, \
            sleep milliseconds, relay the name of a method of the caller's and a text: it calls the \
            caller back and gives its answer. A notification "repeat" with a number and a text is \
            answered by as many notifications "again".
            """)

    @Option(help: "The numeric address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0 lets the kernel choose.")
    var port: UInt16 = 18_800

    @Option(help: "Requests of one client that run at once; further ones are refused.")
    var requests = 1_024

    func validate() throws {
        guard requests > 0 else { throw ValidationError("--requests has to be above 0.") }
    }

    func run() async throws {
        let signals = try ProcessSignal.events(.interrupt, .terminate)
        let group = try EventLoopGroup()
        var configuration = MessagePackRPCConfiguration()
        configuration.requestsInFlightMax = requests
        let server = MessagePackRPCServer(
            group: group, handlers: Self.handlers(), configuration: configuration)
        do {
            let address = try await server.listen(on: SocketAddress(host: host, port: port))
            print("listening on \(address)")
        } catch {
            throw CleanFailure(description: "cannot listen on \(host):\(port): \(error)")
        }
        for await _ in signals { break }
        await server.drain(deadline: .seconds(5))
        await group.shutdown()
    }

    private static func handlers() -> MessagePackRPCHandlers {
        var handlers = MessagePackRPCHandlers()
        handlers.handle("add", on: .loop) { parameters, _ in
            let (first, second) = try parameters.decode(Int.self, Int.self)
            let (sum, overflow) = first.addingReportingOverflow(second)
            guard !overflow else { throw MessagePackRPCFault("the sum is too large") }
            return sum
        }
        handlers.handle("echo") { parameters, _ -> Echoed in
            let echoed: Echoed = try parameters.decode(Echoed.self)
            return echoed
        }
        handlers.handle("fail") { parameters, _ in
            throw MessagePackRPCFault(try parameters.decode(String.self))
        }
        handlers.handle("sleep") { parameters, _ in
            let milliseconds: UInt32 = try parameters.decode(UInt32.self)
            try await Task.sleep(for: .milliseconds(Int(milliseconds)))
        }
        handlers.handle("relay") { parameters, context in
            let (method, text) = try parameters.decode(String.self, String.self)
            do {
                return try await context.connection.call(method, text, returning: String.self)
            } catch {
                throw MessagePackRPCFault("\(error)")
            }
        }
        handlers.handleNotification("repeat") { parameters, context in
            // What does not fit is dropped, as nobody waits for an answer.
            guard let (count, text) = try? parameters.decode(UInt8.self, String.self) else {
                return
            }
            Task {
                for number in 0..<count {
                    try await context.connection.notify("again", number, text)
                }
            }
        }
        return handlers
    }
}

/// Bytes or a text, as they came.
private enum Echoed: Codable {
    case bytes([UInt8])
    case text(String)

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        // What is no text is bytes, or the error below says what is wrong.
        if let text = try? value.decode(String.self) {
            self = .text(text)
        } else {
            self = .bytes(try value.decode([UInt8].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .bytes(let bytes): try value.encode(bytes)
        case .text(let text): try value.encode(text)
        }
    }
}
