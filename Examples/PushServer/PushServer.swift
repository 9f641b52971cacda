import ArgumentParser
import PushWire
import Hub
import HubHTTP
import HubJWT
import HubLifecycle
import HubSQLite
import HubWebhooks
import JWTKit
import Logging
import NetPoll
import PrometheusText
import ServiceLifecycle
import UnixSignals
import WSFrame
import WSTransport

/// A push server: devices on WebSockets, programs on an HTTP API, messages kept until they arrived.
@main
struct PushServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push-server",
        abstract: "Pushes messages to devices, at least once.",
        discussion: """
            Devices connect to /ws and speak push.v1.json. Programs use the \
            HTTP API under /api/v1/ with a key: publish, send, broadcast, campaigns, kick, presence, \
            history, sessions. /healthz, /readyz and /metrics are for supervisors, and with --dashboard \
            the page /dashboard, with the same keys, for people. With --rpc-port the same API is an RPC \
            service too, longwire.HubBackend.

            API keys, one a line, each of at least 16 bytes, come from --api-key-file or from the \
            variable PUSH_API_KEYS, never from the command line. Devices show a JSON Web Token signed \
            with HS256 and the key of --token-key-file, as Authorization: Bearer or ?token=…; with \
            --trust-names instead they just say ?user=…&device=…

            Takes the sockets that a service manager passes in place of --host and --port, and one with \
            the port of --rpc-port for that; tells it when it is ready. Ends with SIGINT or SIGTERM, or \
            when another push-server with the same --handover takes its sockets over.
            """)

    @Option(help: "The numeric address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port: UInt16 = 8080

    @Option(help: "The port of the API by RPC; 0 lets the system choose. Without it there is none.")
    var rpcPort: UInt16?

    @Option(help: "The file that keeps histories and inboxes; without it memory does.")
    var store: String?

    @Option(help: "MiB that the file may take; when it is full, messages are refused.")
    var storeMax = 1_024

    @Option(help: "A file of API keys, one a line.")
    var apiKeyFile: String?

    @Option(help: "A file with the key that devices' tokens are signed with, of at least 32 bytes.")
    var tokenKeyFile: String?

    @Flag(help: "Believe devices who they say they are; for trials.")
    var trustNames = false

    @Flag(help: "Show what the server does at /dashboard.")
    var dashboard = false

    @Flag(help: "Log each request that was answered, without its query, where tokens stand.")
    var accessLog = false

    @Option(help: "A proxy's address or range, whose X-Forwarded-For is believed; may be repeated.")
    var trust: [String] = []

    @Flag(help: "Trusted proxies use the PROXY protocol instead of X-Forwarded-For.")
    var proxyProtocol = false

    @Option(
        help: "Where servers succeed each other: a Unix socket's path that nobody else may write.")
    var handover: String?

    @OptionGroup var upstreamOptions: UpstreamOptions

    @Option(help: "Event loops, a thread each.")
    var loops: Int = EventLoopGroup.Configuration().loops

    func validate() throws {
        guard (tokenKeyFile != nil) != trustNames else {
            throw ValidationError("Either --token-key-file or --trust-names is needed.")
        }
        guard (1...256).contains(loops) else {
            throw ValidationError("--loops has to be from 1 to 256.")
        }
        let loopsMax = ListenerHandover.socketsMax / (rpcPort == nil ? 1 : 2)
        guard handover == nil || loops <= loopsMax else {
            throw ValidationError(
                "--handover is for at most \(loopsMax) loops, each with a socket for every port.")
        }
        guard (1...1_048_576).contains(storeMax) else {
            throw ValidationError("--store-max has to be from 1 to 1048576.")
        }
        guard !proxyProtocol || !trust.isEmpty else {
            throw ValidationError("--proxy-protocol is of no use without --trust.")
        }
    }

    func run() async throws {
        do {
            try await serve()
        } catch let error as SystemError {
            throw CleanFailure(description: "\(error)")
        } catch let error as AddressRangeError {
            throw CleanFailure(description: "--trust: \(error)")
        } catch let error as StoreError {
            throw CleanFailure(description: "--store: \(error)")
        } catch let error as WebhookError {
            throw CleanFailure(description: "--webhook or its secrets: \(error)")
        } catch let error as APIKeyError {
            throw CleanFailure(description: "--api-key-file or PUSH_API_KEYS: \(error)")
        }
    }

    private func serve() async throws {
        Inputs.raiseOpenFiles()
        let activated = try SocketActivation.takeDescriptors()
        let level = LogLevelControl()
        LoggingSystem.bootstrap { level.handler(StreamLogHandler.standardError(label: $0)) }
        let logger = Logger(label: "push")
        let keys = try APIKeys(lines: try keyLines())
        let metrics = PrometheusMetrics()
        let api = PushAPI(keys: keys, metrics: metrics)
        var groupSettings = EventLoopGroup.Configuration()
        groupSettings.loops = loops
        let group = try EventLoopGroup(configuration: groupSettings)
        var configuration = Push.configuration(routes: api)
        let upstream = try upstreamOptions.makeUpstream(on: group)
        configuration.authenticator = upstream.authenticator(after: try await authenticator())
        configuration.middleware = upstream.told.map(\.events)
        upstream.report(to: metrics, of: api)
        configuration.proxies = try proxies()
        if accessLog { configuration.accessLog = Self.log(to: logger) }
        let page = dashboard ? Dashboard(keys: keys, campaignsOf: api, logLevel: level) : nil
        page?.install(in: &configuration)
        // A predecessor has its store to itself until it is done.
        let sockets = try await HubSockets.take(activated, handover: handover, on: group)
        let kept = try openStore()
        configuration.store = kept
        let hub = HubServer(
            group: group, configuration: configuration,
            application: Push(trustsNames: trustNames), logger: logger)
        api.serve(hub)
        page?.serve(hub)
        let backend = rpcPort.map { _ in Backend(api, on: group) }
        try await backend?.listen(on: SocketAddress(host: host, port: rpcPort ?? 0), of: sockets)
        let service = HubService(
            hub, on: try SocketAddress(host: host, port: port), sockets: sockets,
            drainingWithin: .seconds(5), reconnectingWithin: .seconds(2)
        ) { print("push-server listens on http://\($0)/") }
        try await run(service, logger) {
            await backend?.drain()
            await upstream.drain()
            await kept.close()
            await sockets.letGo()
        }
        await group.shutdown()
    }

    /// Serves until a signal asks for the end, or a successor has the sockets; then closes the rest.
    private func run(
        _ service: HubService, _ logger: Logger, closing: @escaping @Sendable () async -> Void
    ) async throws {
        let services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: ClosingService(closing)),
                    .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup),
                ], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await services.run()
    }

    private func proxies() throws -> TrustedProxies? {
        trust.isEmpty
            ? nil
            : TrustedProxies(
                try trust.map { try AddressRange($0) },
                source: proxyProtocol ? .proxyProtocol : .forwardedFor)
    }

    private static func log(to logger: Logger) -> WebSocketServer.AccessLog {
        { access in
            logger.info(
                "answered",
                metadata: [
                    "remote": "\(access.remoteAddress.host)", "method": "\(access.request.method)",
                    "path": "\(access.request.path)", "status": "\(access.status)",
                    "bytes": "\(access.responseBodyBytes)", "duration": "\(access.duration)",
                ])
        }
    }

    private func keyLines() throws -> String {
        guard let apiKeyFile else { return Inputs.variable("PUSH_API_KEYS") ?? "" }
        guard let lines = Inputs.text(ofFile: apiKeyFile) else {
            throw CleanFailure(description: "--api-key-file: \(apiKeyFile) cannot be read")
        }
        return lines
    }

    private func openStore() throws(StoreError) -> any MessageStore {
        guard let store else { return MemoryMessageStore() }
        var configuration = SQLiteMessageStore.Configuration()
        configuration.fileBytesMax = storeMax << 20
        return try SQLiteMessageStore(path: store, configuration: configuration)
    }

    private func authenticator() async throws -> any HubAuthenticator {
        guard let tokenKeyFile else { return TrustedNames() }
        guard let text = Inputs.text(ofFile: tokenKeyFile) else {
            throw CleanFailure(description: "--token-key-file: \(tokenKeyFile) cannot be read")
        }
        // White space at its ends is the file's; within it, the key's.
        let end = text.lastIndex { !$0.isWhitespace }.map { text.index(after: $0) }
        let key = String(text[..<(end ?? text.startIndex)].drop { $0.isWhitespace })
        guard key.utf8.count >= 32 else {
            throw CleanFailure(description: "--token-key-file: the key has less than 32 bytes")
        }
        let keys = JWTKeyCollection()
        await keys.add(hmac: HMACKey(from: key), digestAlgorithm: .sha256)
        return JWTAuthenticator(keys: keys)
    }
}

/// Ends the program with one clear line and exit code 1.
private struct CleanFailure: Error, CustomStringConvertible {
    let description: String
}
