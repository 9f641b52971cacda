public import NetPoll
public import WSFrame

extension WebSocketServer {
    /// Settings of a server; every limit has a default.
    public struct Configuration: Hashable, Sendable {
        /// Bounds of frames and messages; see ``/WSFrame/ProtocolLimits``.
        public var limits = ProtocolLimits()
        /// Whether handlers are given messages whole, the default, or in the pieces they come in.
        public var delivery = ProtocolConfiguration.Delivery.whole
        /// What to agree on with clients that offer compression (RFC 7692); `nil`, the default, for
        /// none: it costs processor time and memory, and repays them on slow links only. A
        /// ``Decision`` may differ from it.
        public var compression: CompressionConfiguration?
        /// Which pages may open a WebSocket from a browser (RFC 6455 §10.2); others are answered 403.
        /// Default ``/WSFrame/OriginPolicy/any``: a server that knows its clients by cookies wants
        /// another.
        public var origins = OriginPolicy.any
        /// The names the server is reached by, in lower case and without a port; a request whose `Host` says
        /// another is answered 421 (RFC 9110 §15.5.20). `nil`, the default: whatever they say.
        ///
        /// A page whose own name was made to lead here (DNS rebinding) is kept off by this, also where
        /// ``origins`` takes it for one of the server's own.
        public var hosts: Set<String>?
        /// Bounds of requests; see ``/WSFrame/HTTPLimits``.
        public var http = HTTPLimits()
        /// Bounds of each connection's send queue. A peer that takes no messages is closed at
        /// ``/NetPoll/Connection/Limits/sendQueueBytesMax``, by default 1 MiB, and one that takes nothing
        /// of what waits for it at ``/NetPoll/Connection/Limits/writeStallTimeout``, here by default 60 s.
        /// With an ``/NetPoll/Connection/Limits/inputTimeout``, `nil` by default, a frame or message
        /// that is not whole in that time ends its connection.
        public var connection = Connection.Limits.ofWebSockets
        /// Connections that may wait to be accepted (listen(2)). Default 4,096.
        public var backlog = 4_096
        /// What to do when descriptors are exhausted. Default
        /// ``/NetPoll/Listener/ExhaustionPolicy/shed``.
        public var exhaustion = Listener.ExhaustionPolicy.shed
        /// The time a client has for its whole request head, from its connection or from the first
        /// byte of a later request; then 408 is answered if it has begun one (RFC 9110 §15.5.9).
        /// Default 10 s.
        public var handshakeTimeout = Duration.seconds(10)
        /// How long a connection may wait for its next request before it is closed. Default 60 s.
        public var keepAliveTimeout = Duration.seconds(60)
        /// The time a client has for a request's whole body; then 408 is answered. Default 30 s.
        public var bodyTimeout = Duration.seconds(30)
        /// The time a ``HTTPResponder``'s task has; then it is cancelled, and 503 answered. Default
        /// 60 s.
        public var responseTimeout = Duration.seconds(60)
        /// The time a client has to take each 48 KiB of an answer, and the rest of a connection's last
        /// one; then it is reset. Default 10 s.
        public var sendTimeout = Duration.seconds(10)
        /// The most requests of one connection; the last is answered with `Connection: close`.
        /// Default 10,000.
        public var requestsPerConnectionMax = 10_000
        /// Bytes that may wait behind a request that is not answered yet, before reading pauses; one
        /// receive more than that may wait. Default 64 KiB.
        public var pipelinedBytesMax = 64 << 10
        /// Bytes of bodies that all connections together may hold for responders; a request beyond is
        /// answered 503. Default 64 MiB.
        public var bodiesBytesMax = 64 << 20
        /// The time the peer has to answer a close frame. Default 5 s.
        public var closeTimeout = Duration.seconds(5)
        /// `nil`: never ping, never give up. Default 25 s and 60 s.
        public var heartbeat: Heartbeat? = Heartbeat()
        /// How long a frame or message that was begun may bring nothing more before the connection is
        /// closed with 1001 and ``WebSocketCloseReason/inputStalled``; `nil`: for ever. Default 60 s,
        /// at most 20 days.
        ///
        /// Each byte of it counts, pings and pongs between the frames of a message do not. It stands
        /// still while reading is paused. Who sends messages in frames with long pauses between
        /// them needs another; ``/NetPoll/Connection/Limits/inputTimeout`` bounds the whole time.
        public var inputStallTimeout: Duration? = .seconds(60)
        /// The most WebSocket connections at a time; further upgrades are answered 503. Default
        /// 1,000,000.
        public var connectionsMax = 1_000_000
        /// The most connections that are not WebSockets, or not yet; further ones are answered 503
        /// at once. Default 8,192.
        public var handshakesMax = 8_192
        /// The most of those of one address, an IPv6 network of 64 bits counting as one; further ones
        /// are answered 429 at once. Loopback, Unix sockets and proxies whose `X-Forwarded-For` is
        /// trusted are not counted. Default 1,024.
        public var handshakesPerAddressMax = 1_024
        /// The proxies in front of the server, which say who their clients are; by default none.
        public var proxies: TrustedProxies?

        public init() {}
    }

    /// What to do with a request.
    public enum Decision {
        /// Answer 101 and serve the connection by this handler, with one of the subprotocols the
        /// client offered or none; one it did not offer is left out. A request that asks for no
        /// WebSocket is answered 426. `compression` may spare a client that breaks on compressed
        /// messages, for example by its `User-Agent`. `headers`, such as cookies, go into the answer;
        /// what the handshake says itself is left out of them.
        case upgrade(
            any WebSocketHandler, subprotocol: String? = nil,
            compression: CompressionRule = .asConfigured, headers: [HTTPHeader] = [])
        /// Answer this. A body of the request is dropped where it is short, and the connection closed
        /// where it is not.
        case respond(HTTPResponse)
        /// Read the request's body, then let the responder answer. A request for an upgrade is
        /// answered so as well.
        case answer(HTTPResponder)
        /// Ask first: a task on the loop of the connection finds out what the decision needs, and what
        /// it returns decides, on that loop.
        ///
        /// Nothing of the request's body is read meanwhile. The task has
        /// ``Configuration/handshakeTimeout``, then 503 is answered; where it throws, 500. It is
        /// cancelled when the client is gone.
        case ask(Question)
    }

    /// Finds out what a decision needs; returns what decides, which is called on the loop.
    public typealias Question = @Sendable () async throws -> @Sendable () -> Decision

    /// Which compression a client may agree on.
    public enum CompressionRule: Hashable, Sendable {
        /// That of ``Configuration/compression``.
        case asConfigured
        /// None.
        case off
        /// This one. What is not in use is given back by the server's first
        /// `idleTimeout` on the loop.
        case with(CompressionConfiguration)
    }

    /// A client that got no WebSocket although it tried, or no answer of the application.
    public enum HandshakeFailure: Error, Hashable, Sendable {
        /// The request could not be parsed; the error's status was answered.
        case malformed(HTTPParseError)
        /// The request asked for a WebSocket in a wrong way (RFC 6455 §4.2.1).
        case rejected(HandshakeRejection)
        /// The request was not whole within ``Configuration/handshakeTimeout`` or
        /// ``Configuration/bodyTimeout``.
        case timedOut
        /// ``Configuration/connectionsMax`` was reached.
        case connectionsExhausted
        /// ``Configuration/handshakesMax`` was reached.
        case handshakesExhausted
        /// ``Configuration/handshakesPerAddressMax`` was reached.
        case addressExhausted
        /// ``Configuration/bodiesBytesMax`` was reached.
        case bodiesExhausted
        /// A trusted proxy did not begin its connection as agreed; it was closed without an answer.
        case malformedProxyHeader(ProxyHeaderError)
        /// The task of a ``HTTPResponder`` threw this.
        case responderFailed(String)
        /// The task of a ``HTTPResponder`` did not answer within ``Configuration/responseTimeout``.
        case responderTimedOut
        /// The application answered with this status, or the server with 421 for ``Configuration/hosts``.
        case refused(HTTPStatus)
    }
}

extension HTTPRequest {
    /// Whether it is for one of ``WebSocketServer/Configuration/hosts``.
    func isHost(among hosts: Set<String>) -> Bool {
        guard let host = header("Host") else { return false }
        let bytes = host.utf8
        // ASCII, as every `Host` that is taken; the colons of an IPv6 address are inside brackets.
        let end =
            bytes.first == UInt8(ascii: "[")
            ? bytes.firstIndex(of: UInt8(ascii: "]")).map { bytes.index(after: $0) }
            : bytes.firstIndex(of: UInt8(ascii: ":"))
        return hosts.contains(host[..<(end ?? bytes.endIndex)].lowercased())
    }
}

extension WebSocketServer.HandshakeFailure: CustomStringConvertible {
    /// The status that was answered.
    public var status: HTTPStatus {
        switch self {
        case .malformed(let error): error.status
        case .rejected(let rejection): rejection.status
        case .timedOut: .requestTimeout
        case .connectionsExhausted, .handshakesExhausted, .bodiesExhausted, .responderTimedOut:
            .serviceUnavailable
        case .addressExhausted: .tooManyRequests
        case .malformedProxyHeader: .badRequest
        case .responderFailed: .internalServerError
        case .refused(let status): status
        }
    }

    public var description: String { "\(why); answered \(status)" }

    private var why: String {
        switch self {
        case .malformed(let error): error.description
        case .rejected(let rejection): rejection.description
        case .timedOut: "timed out before the request was whole"
        case .connectionsExhausted: "connectionsMax reached"
        case .handshakesExhausted: "handshakesMax reached"
        case .addressExhausted: "handshakesPerAddressMax reached"
        case .bodiesExhausted: "bodiesBytesMax reached"
        case .malformedProxyHeader(let error): error.description
        case .responderFailed(let error): "its responder failed: \(error)"
        case .responderTimedOut: "its responder did not answer in time"
        case .refused: "refused by the application"
        }
    }
}
