import ArgumentParser
import CoreMetrics
import NetPoll
import PrometheusText
import WSFrame
import WSTransport

/// Files, routes, metrics and WebSockets on one port, also behind a proxy.
@main
struct HTTPDemo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "http-demo",
        abstract: "Serves files, routes, metrics and WebSockets on one port.",
        discussion: """
            GET / and what --files holds; GET /who says which address the client has; POST /echo \
            sends the body back; GET /later/MILLISECONDS answers by a task; /healthz, /readyz and \
            /metrics are for supervisors; /ws echoes WebSocket messages. Ends with SIGINT or SIGTERM.
            """)

    @Option(help: "The numeric address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port: UInt16 = 8080

    @Option(help: "A directory whose files are served; read once, at the start.")
    var files: String?

    @Option(help: "An address or range of trusted proxies, such as 127.0.0.1; may be repeated.")
    var trust: [String] = []

    @Flag(help: "Trusted proxies use the PROXY protocol instead of X-Forwarded-For.")
    var proxyProtocol = false

    @Flag(help: "Print a line for each request.")
    var accessLog = false

    func run() async throws {
        do {
            try await serve()
        } catch let error as SystemError {
            throw CleanFailure(description: "\(error)")
        } catch let error as AddressRangeError {
            throw CleanFailure(description: "--trust: \(error)")
        }
    }

    private func serve() async throws {
        let metrics = PrometheusMetrics()
        let group = try EventLoopGroup()
        let files = try files.map { try StaticFiles(directory: $0) } ?? StaticFiles()
        let router = Routes.router(metrics)
        let server = WebSocketServer(
            group: group, configuration: try settings(), accessLog: log(to: metrics)
        ) { request, _, _ in
            if request.path == "/ws" { return .upgrade(Echo.shared) }
            if let response = files.response(to: request) { return .respond(response) }
            return router.decision(for: request)
        }
        let address = try await server.listen(on: SocketAddress(host: host, port: port))
        print("http-demo listens on http://\(address)/")
        // Until a signal asks for the end.
        for await _ in try ProcessSignal.events(.interrupt, .terminate) { break }
        await server.drain(deadline: .seconds(5))
        await group.shutdown()
    }

    private func settings() throws -> WebSocketServer.Configuration {
        var settings = WebSocketServer.Configuration()
        if !trust.isEmpty {
            settings.proxies = TrustedProxies(
                try trust.map { try AddressRange($0) },
                source: proxyProtocol ? .proxyProtocol : .forwardedFor)
        }
        return settings
    }

    private func log(to metrics: PrometheusMetrics) -> WebSocketServer.AccessLog {
        let prints = accessLog
        let duration = CoreMetrics.Timer(label: "http.request", factory: metrics)
        return { access in
            let status = "\(access.status)"
            Counter(label: "http.requests", dimensions: [("status", status)], factory: metrics)
                .increment()
            let (seconds, attoseconds) = access.duration.components
            duration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
            guard prints else { return }
            print(
                "\(access.remoteAddress.host) \(access.request.method) \(access.request.target) "
                    + "\(status) \(access.responseBodyBytes) \(access.duration)")
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
