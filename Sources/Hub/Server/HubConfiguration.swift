import NetPoll
public import WSFrame
public import WSTransport

/// Settings of a hub; every limit has a default and can be set.
public struct HubConfiguration: Sendable {
    /// Bounds of one topic.
    public struct TopicLimits: Hashable, Sendable {
        /// Stored messages kept for those who come later or come back.
        ///
        /// Default 100; 0 keeps none.
        public var historyMessagesMax = 100
        /// Bytes of stored messages kept; the newest message is kept in any case.
        ///
        /// Default 512 KiB. Whoever sends it to a client at once needs
        /// ``HubConfiguration/sendQueueBytesMax`` to be larger.
        public var historyBytesMax = 512 << 10
        /// Messages that the slowest loop may be behind; beyond, ``PublishOutcome/overloaded``.
        ///
        /// Default 8,192.
        public var undeliveredMessagesMax = 8_192
        /// Bytes of messages that the slowest loop may be behind; beyond,
        /// ``PublishOutcome/overloaded``.
        ///
        /// Default 8 MiB.
        public var undeliveredBytesMax = 8 << 20
        /// Subscribers; beyond, ``SubscribeError/topicFull``.
        ///
        /// Default 1,000,000.
        public var subscribersMax = 1_000_000

        /// Creates the defaults.
        public init() {}
    }

    // MARK: - HTTP

    /// The path where clients open their WebSockets.
    ///
    /// Default `/ws`.
    public var endpoint = "/ws"
    /// Which pages may open one; others get 403.
    ///
    /// Default: those of the same origin.
    public var origins = OriginPolicy.sameOrigin
    /// What other paths answer with.
    ///
    /// Default: nothing but `/healthz` and `/readyz`.
    public var files: [String: StaticFile] = [:]
    /// The longest time a connection may take for a request or the upgrade.
    ///
    /// Default 10 s.
    public var handshakeTimeout = Duration.seconds(10)

    // MARK: - Connections

    /// Connections in all; further ones get 503.
    ///
    /// Default 100,000.
    public var connectionsMax = 100_000
    /// Sessions of one address, an IPv6 network of 64 bits counting as one and loopback not at all;
    /// further ones get 429.
    ///
    /// Default 1,000.
    public var sessionsPerAddressMax = 1_000
    /// The largest message a client may send; beyond, 1009.
    ///
    /// Default 64 KiB.
    public var messageBytesMax = 64 << 10
    /// Bytes queued for a client that does not read; beyond, it is cut off with
    /// `WebSocketCloseReason.slowConsumer`.
    ///
    /// Default 1 MiB.
    public var sendQueueBytesMax = 1 << 20
    /// What to agree on with clients that offer compression; a message for many is compressed once
    /// for all that agreed on the same.
    ///
    /// Default: nothing, for it costs processor time and memory.
    public var compression: CompressionConfiguration?
    /// How silent clients are found; `nil` for not at all.
    ///
    /// Default: a ping after 25 s of silence, and
    /// `WebSocketCloseReason.heartbeatTimedOut` after 60 s.
    public var heartbeat: Heartbeat? = Heartbeat()
    /// How long the closing handshake may take.
    ///
    /// Default 5 s.
    public var closeTimeout = Duration.seconds(5)

    // MARK: - Topics

    /// Bounds of each topic.
    public var topic = TopicLimits()
    /// Topics in all; beyond, ``HubServer/topic(_:)`` returns `nil`.
    ///
    /// Default 100,000.
    public var topicsMax = 100_000
    /// How long a topic that nobody holds keeps its history.
    ///
    /// Default 60 s.
    public var topicIdleTimeout = Duration.seconds(60)
    /// Subscriptions of one session; beyond, ``SubscribeError/tooManySubscriptions``.
    ///
    /// Default 100.
    public var subscriptionsPerSessionMax = 100
    /// How long changes of who is in a topic gather before a notice of them.
    ///
    /// Default 250 ms.
    public var presenceInterval = Duration.milliseconds(250)
    /// Users that one notice of changes names; further ones are left for the next.
    ///
    /// Default 200; at least 1.
    public var presenceChangesMax = 200

    /// Creates the defaults.
    public init() {}
}

extension WebSocketServer.Configuration {
    /// What the transport needs to know of a hub's settings.
    init(_ hub: HubConfiguration) {
        self.init()
        limits.framePayloadBytesMax = hub.messageBytesMax
        limits.messageBytesMax = hub.messageBytesMax
        connection.sendQueueBytesMax = hub.sendQueueBytesMax
        compression = hub.compression
        handshakeTimeout = hub.handshakeTimeout
        closeTimeout = hub.closeTimeout
        connection.closeTimeout = hub.closeTimeout
        heartbeat = hub.heartbeat
        connectionsMax = hub.connectionsMax
    }
}
