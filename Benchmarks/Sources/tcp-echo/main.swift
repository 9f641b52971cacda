// Echoes every byte over TCP, by handlers or by tasks.
import NetPoll
import Synchronization

/// Sends back what it received; has no state, so that one serves all connections.
final class Echo: ConnectionHandler, Sendable {
    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        connection.write(bytes.bytes)
    }
}

/// Remembers a loop's longest turn and most closes in one.
///
/// `@unchecked Sendable`: touched on its loop only.
final class Longest: LoopObserver, @unchecked Sendable {
    private var turn = Duration.zero
    private var closes = 0

    func turnEnded(_ report: TurnReport, on loop: EventLoop) {
        turn = max(turn, report.duration)
        closes = max(closes, report.closes)
    }

    var line: String { "longest_turn_us=\(Int(turn / .microseconds(1))) closes_max=\(closes)" }
}

struct Options: Sendable {
    static let usage = """
        usage: tcp-echo [--host ADDRESS] [--port PORT] [--loops COUNT] [--style handler|async]
                        [--driver automatic|epoll|ioUring|kqueue] [--turns unseen|reported]

        With reported turns SIGTERM prints the longest one since the last SIGHUP, and ends the server.
        """

    enum Style: String { case handler, async }

    var host = "127.0.0.1"
    var port: UInt16 = 9000
    var loops = 1
    var style = Style.handler
    var driver = DriverChoice.automatic
    var turns = Turns.unseen

    enum Turns: String { case unseen, reported }

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
            case "--turns": turns = Self.parsed(value.flatMap { Turns(rawValue: $0) })
            default: preconditionFailure(Self.usage)
            }
        }
    }

    private static func parsed<Value>(_ value: Value?) -> Value {
        guard let value else { preconditionFailure(usage) }
        return value
    }
}

/// Observes the first loop's turns until SIGTERM, and prints the longest.
@concurrent func reportTurns(of group: EventLoopGroup) async throws {
    let loop = group.loops[0]
    loop.execute { loop.observer = Longest() }
    for await signal in try ProcessSignal.events(.hangUp, .terminate) {
        if signal == .hangUp {
            loop.execute { loop.observer = Longest() }
            continue
        }
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            loop.execute {
                print((loop.observer as? Longest)?.line ?? "")
                done.resume()
            }
        }
        break
    }
    await group.shutdown()
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
        if options.turns == .reported { return try await reportTurns(of: group) }
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
