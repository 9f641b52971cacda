import ArgumentParser
import NetPoll
import WSFrame
import WSTransport

/// Opens a WebSocket, sends lines, prints what comes, and measures round trips.
@main
struct WSClient: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ws-client",
        abstract: "Opens a WebSocket, sends the lines of its input and prints what comes.",
        discussion: """
            Prints text as it is and binary messages in hexadecimal. At the end of the input it \
            waits until nothing has come for a while, then closes with 1000; SIGINT or SIGTERM \
            closes with 1001, a second one ends it at once.

            Exit codes: 0 closed in order, 1 not opened, 2 ended otherwise (another close code, \
            connection lost, a ping without answer), 64 wrong option, 128 and the signal's number \
            after a signal.
            """)

    @Argument(help: "Where to connect, such as ws://user:password@localhost:9001/path?query.")
    var url: String

    @Option(
        help: ArgumentHelp(
            "Connect to this Unix socket instead of the URL's host; @name for an abstract one.",
            valueName: "path"))
    var unix: String?

    @Option(
        help: ArgumentHelp(
            "Tunnel through this HTTP proxy: http://user:password@host:port.", valueName: "url"))
    var proxy: String?

    @Option(
        name: [.customShort("H"), .long],
        help: ArgumentHelp(
            "Send this header as well, 'Name: value'; may be repeated.", valueName: "line"))
    var header: [String] = []

    @Option(help: ArgumentHelp("Offer this subprotocol; may be repeated.", valueName: "name"))
    var subprotocol: [String] = []

    @Option(help: ArgumentHelp("Send this as the origin.", valueName: "origin"))
    var origin: String?

    @Flag(help: "Lines are bytes in hexadecimal, each sent as a binary message.")
    var hex = false

    @Flag(name: [.short, .long], help: "Tell of pings, pongs, and opening and closing as well.")
    var verbose = false

    @Option(
        help: ArgumentHelp(
            "Read no input: ping so many times and print the round trips' times.",
            valueName: "count"))
    var ping: Int?

    @Option(help: ArgumentHelp("The time from one ping to the next.", valueName: "seconds"))
    var pingInterval = 0.1

    @Option(
        help: ArgumentHelp(
            "The most that connecting, the handshake, closing and each ping may take.",
            valueName: "seconds"))
    var timeout = 10.0

    @Option(
        help: ArgumentHelp(
            "After the end of the input, close once nothing has come for so long.",
            valueName: "seconds"))
    var linger = 1.0

    func validate() throws {
        if let ping, !(1...1_000_000).contains(ping) {
            throw ValidationError("--ping must be from 1 to 1000000.")
        }
        guard timeout > 0, timeout <= 86_400 else {
            throw ValidationError("--timeout must be more than 0 and at most 86400.")
        }
        for (name, value) in [("--ping-interval", pingInterval), ("--linger", linger)]
        where !(0...86_400).contains(value) {
            throw ValidationError("\(name) must be from 0 to 86400.")
        }
        _ = try plan()
    }

    /// What to do, from the options.
    func plan() throws -> Plan {
        do {
            var request = try WebSocketRequest(url: url)
            request.subprotocols = subprotocol
            request.origin = origin
            request.headers = try header.map(Self.header)
            var plan = Plan(request: request)
            if let unix { plan.address = Self.unix(unix) }
            if let proxy { plan.proxy = try WebSocketClient.Proxy(url: proxy) }
            plan.isHex = hex
            plan.isVerbose = verbose
            plan.pings = ping
            plan.pingInterval = .seconds(pingInterval)
            plan.timeout = .seconds(timeout)
            plan.linger = .seconds(linger)
            return plan
        } catch let error as WebSocketURLError {
            throw ValidationError("\(error).")
        } catch let error as HTTPHeaderError {
            throw ValidationError("--header: \(error).")
        }
    }

    private static func unix(_ path: String) -> SocketAddress {
        path.first == "@" ? .abstract(String(path.dropFirst())) : .unix(path: path)
    }

    private static func header(_ line: String) throws -> HTTPHeader {
        guard let colon = line.firstIndex(of: ":") else {
            throw ValidationError("--header: \(line.debugDescription) has no colon.")
        }
        let value = line[line.index(after: colon)...].drop { $0 == " " }
        return try HTTPHeader(name: String(line[..<colon]), value: String(value))
    }

    func run() throws {
        StopSignals.hold()
        let plan = try plan()
        let session: Session
        do throws(SystemError) {
            session = try Session(plan)
        } catch {
            Ending.end(.failed("\(error)", code: 1))
        }
        session.start()
        // The main thread has nothing else to do.
        let signal = StopSignals.wait()
        session.interrupt(signal)
        Ending.end(.signal(StopSignals.wait()))
    }
}
