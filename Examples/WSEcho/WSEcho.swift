import ArgumentParser
import NetPoll
import WSFrame
import WSTransport

/// Echoes every WebSocket message at any path; for measurements and conformance runs.
@main
struct WSEcho: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ws-echo",
        abstract: "Echoes every WebSocket message, at any path.",
        discussion: """
            Messages may have 16 MiB and 131,072 fragments, more than the library's own defaults. \
            Connections are not pinged. Compression is offered (permessage-deflate). Ends with SIGINT or SIGTERM.
            """)

    @Option(help: "The numeric address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port: UInt16 = 9001

    @Option(help: "Event loops, a thread each (default: one per core).")
    var loops: Int?

    @Option(
        help: "The kernel's interface: automatic, epoll, ioUring or kqueue.",
        transform: { text in
            guard let choice = DriverChoice(rawValue: text) else {
                throw ValidationError("There is no driver '\(text)'.")
            }
            return choice
        })
    var driver = DriverChoice.automatic

    @Option(
        help: """
            permessage-deflate: off, shared (no context is taken over) or context (both are, with \
            windows of 4 KiB).
            """)
    var compression = Compression.shared

    func validate() throws {
        if let loops, !(1...1_024).contains(loops) {
            throw ValidationError("--loops must be from 1 to 1024.")
        }
        do {
            _ = try SocketAddress(host: host, port: port)
        } catch {
            throw ValidationError("--host: \(error).")
        }
    }

    func run() async throws {
        do {
            try await serve()
        } catch let error as SystemError {
            throw CleanFailure(description: "\(error)")
        }
    }

    private func serve() async throws {
        var groupConfiguration = EventLoopGroup.Configuration()
        if let loops { groupConfiguration.loops = loops }
        groupConfiguration.driver = driver
        let group = try EventLoopGroup(configuration: groupConfiguration)
        let server = WebSocketServer(group: group, configuration: settings) { _, _, _ in
            .upgrade(Echo.shared)
        }
        let address = try await server.listen(on: SocketAddress(host: host, port: port))
        print("ws-echo listens on ws://\(address)/ with \(group.loops.count) loops")
        // Until a signal ends the process.
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    private var settings: WebSocketServer.Configuration {
        var settings = WebSocketServer.Configuration()
        settings.compression = compression.configuration
        settings.limits.framePayloadBytesMax = 16 << 20
        settings.limits.messageBytesMax = 16 << 20
        settings.limits.fragmentsMax = 131_072
        settings.limits.bookkeepingBytesMax = 4 << 20
        // Room for one message of the greatest length and what is in front of it.
        settings.connection.sendQueueBytesMax = 64 << 20
        settings.heartbeat = nil
        return settings
    }
}

/// What `--compression` may say.
enum Compression: String, ExpressibleByArgument, CaseIterable {
    case off
    case shared
    case context

    var configuration: CompressionConfiguration? {
        switch self {
        case .off: nil
        case .shared: .shared
        case .context: .context
        }
    }
}

/// Sends every message back; has no state, so that one serves all connections of all loops.
private final class Echo: WebSocketHandler, Sendable {
    static let shared = Echo()

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        connection.send(message, kind: kind)
    }
}

/// Ends the program with one clear line and exit code 1.
private struct CleanFailure: Error, CustomStringConvertible {
    let description: String
}
