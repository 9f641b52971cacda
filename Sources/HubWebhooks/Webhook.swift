public import ConnPool
public import Hub
import HubHTTP
public import HubUpstream
public import NetPoll
import WSFrame

/// A URL that a hub's events are posted to.
///
/// ```swift
/// let webhook = try Webhook(
///     url: "http://127.0.0.1:9000/hub", secrets: WebhookSecrets(lines: lines), on: group.loops)
/// configuration.middleware.append(UpstreamEvents(to: webhook, on: group.loops[0]))
/// ```
///
/// Each event is a `POST` of its own, over connections that are kept: JSON, as
/// ``/HubUpstream/UpstreamEvent`` writes it, with `X-Longwire-Event`, its id, and a ``WebhookSignature`` made
/// for each attempt. A status of 2xx says that the receiver has it; 408, 429 and 5xx, and no answer, that it
/// is to come again, not before `Retry-After`; everything else that the receiver does not want it. The
/// answer's body is passed over: one that is longer than 64 KiB, does not end in time, or is broken costs its
/// connection, and changes nothing else.
/// Redirections are not followed. There is no TLS: let a proxy on the same machine speak it.
public final class Webhook: UpstreamSink {
    /// How it is called.
    public struct Configuration: Sendable {
        /// How long one attempt may take, with the wait for a connection. Default 10 s.
        public var timeout = Duration.seconds(10)
        /// Connections to the receiver: how many, for how long, and how they are tried again. Default: at
        /// most 8, idle for 30 s, which is less than most servers keep them.
        public var pool: PoolConfiguration = {
            var pool = PoolConfiguration()
            pool.connectionsMax = 8
            pool.idleTimeout = .seconds(30)
            return pool
        }()
        /// Sockets, and how names are resolved.
        public var tcp = TCPPoolConfiguration()
        /// Tells the time of the calendar, for signatures. Default: the system's.
        public var calendar: @Sendable () -> Timestamp = HubConfiguration().calendar

        /// Creates the defaults.
        public init() {}
    }

    private let pool: TCPConnectionPool
    private let loop: EventLoop
    private let secrets: WebhookSecrets
    private let configuration: Configuration
    /// The request's head, but for what is different each time.
    private let head: String

    /// - Parameters:
    ///   - url: `http://HOST[:PORT]/PATH[?QUERY]`, without a user.
    ///   - secrets: What requests are signed with.
    ///   - loops: Serve the connections, in turn; timers are the first one's.
    ///   - configuration: How it is called.
    /// - Throws: ``WebhookError``.
    /// - Precondition: There is a loop, and the configuration's values make sense.
    public init(
        url: String, secrets: WebhookSecrets, on loops: [EventLoop],
        configuration: Configuration = .init()
    ) throws(WebhookError) {
        precondition(configuration.timeout > .zero, "a timeout of \(configuration.timeout)")
        let place: ConnectionURL
        do throws(WebSocketURLError) {
            place = try ConnectionURL(url, scheme: "http")
        } catch {
            throw WebhookError(.url("\(error)"))
        }
        guard place.credentials == nil else { throw WebhookError(.credentials) }
        self.secrets = secrets
        self.configuration = configuration
        loop = loops[0]
        pool = TCPConnectionPool(
            to: Self.endpoint(place.server), on: loops, configuration: configuration.pool,
            tcp: configuration.tcp)
        head = """
            POST \(place.target) HTTP/1.1\r
            Host: \(place.server.field)\r
            User-Agent: longwire\r
            Content-Type: application/json\r

            """
    }

    private static func endpoint(_ server: HostAndPort) -> TCPEndpoint {
        do {
            return .address(try SocketAddress(host: server.host, port: server.port))
        } catch {
            // It is a name.
            return .host(server.host, port: server.port)
        }
    }

    public func tell(_ event: UpstreamEvent) async -> UpstreamOutcome {
        let body: [UInt8]
        do throws(CommandFailure) {
            body = try event.json()
        } catch {
            // There is no form of it that the receiver could want.
            return .refused
        }
        do {
            return Self.outcome(of: try await reply(to: request(event.id, body)))
        } catch {
            // Not reached, lost, late, or not HTTP: it may be otherwise the next time.
            return .failed()
        }
    }

    /// Closes its connections.
    public func close() async { await pool.close() }

    private func request(_ id: String, _ body: [UInt8]) -> [UInt8] {
        let signature = WebhookSignature.sign(body, at: configuration.calendar(), with: secrets)
        let fields = """
            Content-Length: \(body.count)\r
            X-Longwire-Event: \(id)\r
            \(WebhookSignature.header): \(signature)\r
            \r

            """
        return Array(head.utf8) + Array(fields.utf8) + body
    }

    /// Sends a request and waits for the answer, as long as it may take.
    private func reply(to request: [UInt8]) async throws -> ReplyReader.Reply {
        let (pool, loop, timeout) = (pool, loop, configuration.timeout)
        return try await withThrowingTaskGroup(of: ReplyReader.Reply?.self) { tasks in
            tasks.addTask(executorPreference: loop) {
                // The same event may come twice: its id tells.
                try await pool.withConnection(retry: .onStale) { connection in
                    try await Self.ask(request, on: connection)
                }
            }
            tasks.addTask(executorPreference: loop) {
                try await loop.clock.sleep(for: timeout)
                return nil
            }
            defer { tasks.cancelAll() }
            if let reply = try await tasks.next() ?? nil { return reply }
            // Of an answer that has begun only the rest is late.
            tasks.cancelAll()
            guard let reply = try await tasks.next() ?? nil else { throw ReplyError.late }
            return reply
        }
    }

    private static func ask(
        _ request: [UInt8], on connection: AsyncConnection
    ) async throws -> ReplyReader.Reply {
        try await connection.write(request.span.bytes)
        var reader = ReplyReader()
        do {
            for try await bytes in connection.inbound {
                guard let reply = try bytes.withBytes({ try reader.read($0) }) else { continue }
                // Nobody gets a connection on which more may come.
                if !reply.isReusable { connection.abort() }
                return reply
            }
        } catch {
            // Lost, given up, or no HTTP; an answer whose rest is missing is one.
            guard reader.heard != nil else { throw error }
        }
        guard let reply = reader.heard else { throw ReplyError.incomplete }
        connection.abort()
        return reply
    }

    private static func outcome(of reply: ReplyReader.Reply) -> UpstreamOutcome {
        switch reply.status.rawValue {
        case 200..<300: .delivered
        case 408, 429, 500..<600: .failed(retryAfter: reply.retryAfter)
        default: .refused
        }
    }
}
