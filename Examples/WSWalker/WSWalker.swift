import ArgumentParser
import NetPoll
import WSFrame
import WSTransport

/// Walks through the cases of an Autobahn fuzzing server, echoing every message.
@main
struct WSWalker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ws-walker",
        abstract: "Walks through the cases of an Autobahn fuzzing server, echoing every message.",
        discussion: """
            Asks the server how many cases it has, opens each of them in turn and echoes until it is \
            closed, then has the reports written. Offers permessage-deflate. Messages may have 16 MiB and 131,072 fragments.
            """)

    @Option(help: "The numeric address of the server.")
    var host = "127.0.0.1"

    @Option(help: "The port of the server.")
    var port: UInt16 = 9001

    @Option(help: "The name under which the reports are filed; letters, digits and hyphens.")
    var agent = "longwire"

    func validate() throws {
        guard !agent.isEmpty,
            agent.utf8.allSatisfy({ byte in
                byte >= 0x61 && byte <= 0x7A || byte >= 0x41 && byte <= 0x5A
                    || byte >= 0x30 && byte <= 0x39 || byte == 0x2D
            })
        else { throw ValidationError("--agent has letters, digits and hyphens only.") }
        do {
            _ = try SocketAddress(host: host, port: port)
        } catch {
            throw ValidationError("--host: \(error).")
        }
    }

    func run() async throws {
        let address = try SocketAddress(host: host, port: port)
        var settings = EventLoopGroup.Configuration()
        settings.loops = 1
        let group = try EventLoopGroup(configuration: settings)
        let client = WebSocketClient(group: group, configuration: Self.settings)
        let walk = Walk(client: client, address: address)
        let count = try await walk.caseCount()
        print("ws-walker runs \(count) cases of ws://\(address)/")
        if count > 0 {
            for number in 1...count {
                try await walk.visit("/runCase?case=\(number)&agent=\(agent)")
            }
        }
        try await walk.visit("/updateReports?agent=\(agent)")
        await group.shutdown()
    }

    private static var settings: WebSocketClient.Configuration {
        var settings = WebSocketClient.Configuration()
        settings.limits.framePayloadBytesMax = 16 << 20
        settings.limits.messageBytesMax = 16 << 20
        settings.limits.fragmentsMax = 131_072
        settings.limits.bookkeepingBytesMax = 4 << 20
        settings.compression = .walk
        settings.connect.limits.sendQueueBytesMax = 64 << 20
        settings.heartbeat = nil
        return settings
    }
}

extension CompressionConfiguration {
    /// Whatever the server asks for, and contexts where it asks for nothing.
    fileprivate static var walk: CompressionConfiguration {
        var configuration = CompressionConfiguration.shared
        configuration.ownContextTakeover = true
        configuration.peerContextTakeover = true
        return configuration
    }
}
