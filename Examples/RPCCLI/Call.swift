import ArgumentParser
import FoundationEssentials
import RPC

struct Call: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Calls a unary method with JSON and prints what it answers.",
        discussion: """
            An answer that is text is printed as it is, any other in hexadecimal.

              rpc-cli call 127.0.0.1:4000 greet.Greeter/SayHello '{"name": "Ann"}'
            """)

    @OptionGroup var target: Target

    @Argument(help: "SERVICE/METHOD, the service with its package.")
    var method: MethodName

    @Argument(help: "The request, JSON.")
    var request = "{}"

    @Flag(help: "Send the request as it is, whether it is JSON or not.")
    var raw = false

    @Option(
        name: [.customShort("m"), .long],
        help: ArgumentHelp("Send this metadata too; may be repeated.", valueName: "key=value"))
    var metadata: [String] = []

    func validate() throws {
        if !raw {
            do {
                _ = try JSONDecoder().decode(AnyJSON.self, from: Data(request.utf8))
            } catch {
                throw ValidationError("The request is not JSON; --raw sends it as it is.")
            }
        }
        _ = try entries
    }

    func run() async throws {
        var options = target.options
        for entry in try entries { options.metadata.add(entry.value, for: entry.key) }
        let (sent, request, method) = (options, Array(request.utf8), method.method)
        try await target.withConnection { connection in
            let reply = try await connection.call(method, request, options: sent)
            print(Self.text(reply))
        }
    }

    private var entries: [(key: String, value: String)] {
        get throws {
            try metadata.map { entry in
                guard let equals = entry.firstIndex(of: "="), equals != entry.startIndex else {
                    throw ValidationError("--metadata is KEY=VALUE, not '\(entry)'.")
                }
                return (String(entry[..<equals]), String(entry[entry.index(after: equals)...]))
            }
        }
    }

    private static func text(_ reply: [UInt8]) -> String {
        if let text = String(validating: reply, as: UTF8.self) { return text }
        return reply.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// Anything that is JSON.
private struct AnyJSON: Decodable {
    init(from decoder: any Decoder) throws {
        // The decoder has parsed all of it by now.
        _ = try decoder.singleValueContainer()
    }
}
