public import Hub
public import WSFrame

extension HubClient {
    /// Settings of a client; every limit has a default.
    public struct Configuration: Sendable {
        /// The form of the envelopes.
        ///
        /// Default: MessagePack.
        public var spoken: any EnvelopeProtocol = MessagePackProtocol()
        /// Asked of the hub at the beginning of every session that is not resumed, before anything
        /// else; a client whose login fails gives up, unless the hub could not answer now: then it
        /// comes again.
        ///
        /// Default: nothing.
        public var login: HubMessage?
        /// A resume token of an earlier process.
        ///
        /// Default: none.
        public var token: String?
        /// The most that is waited before the first attempt to connect again, or to have topics
        /// again for which a hub had no room; then after what the hub said.
        ///
        /// Default 0.5 s; twice as long after each further failure.
        public var retryAfter = Duration.milliseconds(500)
        /// The most that is waited where the hub does not say for how long; up to an hour where it does.
        ///
        /// Default 30 s.
        public var retryAfterMax = Duration.seconds(30)
        /// How long a session has to last for earlier failures to be forgotten.
        ///
        /// Default 5 s.
        public var stableAfter = Duration.seconds(5)
        /// How long a call may take, reconnecting included, and how long a connection may be open
        /// before it has a session.
        ///
        /// Default 10 s.
        public var callTimeout = Duration.seconds(10)
        /// Calls that may be open; further ones fail with ``HubClientError/tooManyCalls``.
        ///
        /// Default 256.
        public var callsMax = 256

        /// Writes the request anew before each attempt to connect, on the client's loop: what the hub
        /// asks for there, such as a token in its target or headers, may have expired since.
        ///
        /// Default: nothing.
        public var renewRequest: (@Sendable (inout WebSocketRequest) -> Void)?

        /// Creates the defaults.
        public init() {}
    }
}
