public import NetPoll
public import WSFrame

extension WebSocketClient {
    /// Settings of a client; every limit has a default.
    public struct Configuration: Hashable, Sendable {
        /// Bounds of frames and messages; see ``/WSFrame/ProtocolLimits``.
        public var limits = ProtocolLimits()
        /// Whether handlers are given messages whole, the default, or in the pieces they come in.
        public var delivery = ProtocolConfiguration.Delivery.whole
        /// What to offer and use of compression (RFC 7692) where the request leaves it to this;
        /// `nil`, the default, for none. See ``/WSFrame/CompressionOffer``.
        public var compression: CompressionConfiguration?
        /// Bounds of the server's and the proxy's response heads; see ``/WSFrame/HTTPLimits``.
        public var http = HTTPLimits()
        /// Connecting: its timeout, the socket's options, the bounds of the send queue. A server that takes
        /// nothing of what waits for it is reset at ``/NetPoll/Connection/Limits/writeStallTimeout``, here
        /// by default 60 s.
        public var connect = ConnectConfiguration.ofWebSockets
        /// The time from the connected socket to the open WebSocket, a proxy's part included.
        /// Default 10 s.
        public var handshakeTimeout = Duration.seconds(10)
        /// The time the server has to answer a close frame, and to close its end afterwards.
        /// Default 5 s.
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
        /// Connect through this HTTP proxy; `nil`, the default, connects directly.
        public var proxy: Proxy?

        public init() {}
    }

    /// An HTTP proxy that opens tunnels (CONNECT, RFC 9110 §9.3.6).
    public struct Proxy: Hashable, Sendable {
        /// Where the proxy is.
        public var destination: Destination
        /// What the proxy asks for, if it does; the server does not see it.
        public var credentials: BasicCredentials?

        public init(to destination: Destination, credentials: BasicCredentials? = nil) {
            self.destination = destination
            self.credentials = credentials
        }

        /// The proxy of a URL such as `http://user:password@proxy.example.com:3128`.
        ///
        /// - Throws: ``/WSFrame/WebSocketURLError``; for `https` as well.
        public init(url: String) throws(WebSocketURLError) {
            let url = try ConnectionURL(url, scheme: "http")
            guard url.target == "/" else { throw WebSocketURLError(.target) }
            self.init(
                to: .host(url.server.host, port: url.server.port), credentials: url.credentials)
        }
    }
}
