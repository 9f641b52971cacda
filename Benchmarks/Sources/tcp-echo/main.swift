// Echoes every byte over TCP, by handlers or by tasks.
import NetPoll
import Synchronization

/// Sends back what it received; has no state, so that one serves all connections.
final class Echo: ConnectionHandler, Sendable {
    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        connection.write(bytes.bytes)
    }
}

struct Options: Sendable {
    static let usage = """
        usage: tcp-echo [--host ADDRESS] [--port PORT] [--loops COUNT] [--style handler|async]
                        [--driver automatic|epoll|ioUring|kqueue]
        """

    enum Style: String { case handler, async }

    var host = "127.0.0.1"
    var port: UInt16 = 9000
    var loops = 1
    var style = Style.handler
    var driver = DriverChoice.automatic

    init(_ arguments: [String]) {
        var arguments = arguments[...]
        while let flag = arguments.popFirst() {
            let value = arguments.popFirst()
            switch flag {
            case "--host": host = value ?? host
            case "--port": port = Self.parsed(value.flatMap { UInt16($0) })
            case "--loops": loops = Self.parsed(value.flatMap { Int($0) })
            case "--driver": driver = Self.parsed(value.flatMap { DriverChoice(rawValue: $0) })
            case "--style": style = Self.parsed(value.flatMap { Style(rawValue: $0) })
            default: preconditionFailure(Self.usage)
            }
        }
    }

    private static func parsed<Value>(_ value: Value?) -> Value {
        guard let value else { preconditionFailure(usage) }
        return value
    }
}

/// Off the main actor: its thread only waits.
@concurrent func serve(_ options: Options) async throws {
    var configuration = EventLoopGroup.Configuration()
    configuration.loops = options.loops
    configuration.driver = options.driver
    let group = try EventLoopGroup(configuration: configuration)
    let address = try SocketAddress(host: options.host, port: options.port)
    switch options.style {
    case .handler:
        let echo = Echo()
        let listeners = try await group.listen(on: address) { _, _ in echo }
        print("tcp-echo listens on \(listeners.address), handlers on \(options.loops) loops")
        // Until a signal ends the process.
        while true { try await Task.sleep(for: .seconds(3_600)) }
    case .async:
        let listener = try await group.listen(on: address)
        print("tcp-echo listens on \(listener.address), tasks on \(options.loops) loops")
        await listener.serve { connection in
            for try await bytes in connection.inbound { try await connection.write(bytes) }
        }
    }
}

try await serve(Options(Array(CommandLine.arguments.dropFirst())))
