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
        /// ``UnicastLimits/bytesMax`` to be larger.
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
        /// How old a stored message may become; `nil`, the default, for as old as it may.
        ///
        /// An older one is in no history or snapshot, and nobody who subscribes, resumes or catches up
        /// from the history gets it; a subscriber that reads slowly gets what waits for it however old.
        /// Its memory is given back when the topic is used, or within a quarter of
        /// ``HubConfiguration/topicIdleTimeout``.
        public var historyAge: Duration?
        /// Who is told to be there.
        ///
        /// Default: every user by name.
        public var presence = PresenceMode.users
        /// What happens to a subscriber that does not read while more waits for it than the two
        /// following allow.
        ///
        /// Default: it catches up from the history.
        public var slowSubscribers = SlowSubscriberPolicy.catchUp
        /// Messages that wait, on each loop, while subscribers do not read; shared by all of them.
        ///
        /// Default 1,024.
        public var waitingMessagesMax = 1_024
        /// Bytes of messages that wait, on each loop, while subscribers do not read; shared by all of
        /// them.
        ///
        /// Default 1 MiB.
        public var waitingBytesMax = 1 << 20
        /// Subscribers; beyond, ``SubscribeError/topicFull``.
        ///
        /// Default 1,000,000.
        public var subscribersMax = 1_000_000
        /// Idempotency keys of publications that are remembered, each for five minutes; beyond, the
        /// oldest are forgotten before that, and what is published again under one of them is
        /// published twice.
        ///
        /// Default 10,000; 0 remembers none. A durable store remembers those of what it stores by
        /// itself.
        public var idempotencyKeysMax = 10_000

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
    /// Who answers requests for paths that are none of these; `nil`, the default, for 404.
    public var routes: HTTPRouter?
    /// Who is told of each request that was answered, an upgrade among them, on the loop of its
    /// connection. Where clients show tokens in the query of a request, that belongs into no log:
    /// `path` of the request is its target without it.
    ///
    /// Default: nobody.
    public var accessLog: WebSocketServer.AccessLog?
    /// The longest time a connection may take for a request or the upgrade.
    ///
    /// Default 10 s.
    public var handshakeTimeout = Duration.seconds(10)
    /// The proxies in front of the hub, which say who their clients are; limits per address and
    /// applications go by that.
    ///
    /// Default: none.
    public var proxies: TrustedProxies?

    // MARK: - Connections

    /// Who finds out who clients are; `nil`, the default, for the application alone.
    public var authenticator: (any HubAuthenticator)?
    /// How long before its credentials expire a session's application is told. Default 30 s.
    public var credentialsNotice = Duration.seconds(30)
    /// How clients are told that they get no session. Default ``RefusalStyle/status``.
    public var refusals = RefusalStyle.status
    /// How fast clients are let in, all together; `nil` for as fast as they come. Default: 10,000 a
    /// second, and 20,000 at once.
    public var handshakeRate: HandshakeRate? = HandshakeRate()
    /// Whether a request is that of a client which resumes a session, and goes before those that log
    /// in. Asked where those would have to wait. What the request says should be proved: who is
    /// believed without proof comes in before others.
    ///
    /// `nil`, the default, for the requests whose resume token ``resume`` believes: clients show it in
    /// a subprotocol, as PROTOCOL.md says. Such a token is believed as often as it is shown, until it
    /// expires.
    public var isResume: (@Sendable (HTTPRequest) -> Bool)?
    /// How fast each client may send; `nil`, the default, for as fast as it likes.
    public var sessionRate: SessionRate?

    /// Connections in all; further ones get 503.
    ///
    /// Default 100,000.
    public var connectionsMax = 100_000
    /// Connections that are no sessions, or not yet; further ones get 503 at once.
    ///
    /// Default 8,192.
    public var handshakesMax = 8_192
    /// Of those the ones of one address, an IPv6 network of 64 bits counting as one; further ones get
    /// 429 at once. Loopback, Unix sockets and proxies whose `X-Forwarded-For` is trusted are not
    /// counted.
    ///
    /// Default 1,024.
    public var handshakesPerAddressMax = 1_024
    /// Sessions of one address, an IPv6 network of 64 bits counting as one and loopback not at all;
    /// further ones get 429.
    ///
    /// Default 1,000.
    public var sessionsPerAddressMax = 1_000
    /// The largest message a client may send; beyond, 1009.
    ///
    /// Default 64 KiB.
    public var messageBytesMax = 64 << 10
    /// Bytes handed to a connection that the network has not taken; beyond, it is cut off with
    /// `WebSocketCloseReason.slowConsumer`.
    ///
    /// The hub hands over no more once the network takes no more, so that only a single message
    /// larger than this gets there. Default 1 MiB.
    public var sendQueueBytesMax = 1 << 20
    /// Bounds of what waits for one session alone while the network takes no more.
    public var unicast = UnicastLimits()
    /// How messages are framed: each client gets the first that it asks for by its name, and one that
    /// asks for none the first without a name.
    ///
    /// Default: bare messages. At most 255.
    public var protocols: [any ClientProtocol] = [RawProtocol()]
    /// What to agree on with clients that offer compression; a message for many is compressed once
    /// for all that agreed on the same.
    ///
    /// Default: nothing, for it costs processor time and memory.
    public var compression: CompressionConfiguration?
    /// How silent clients are found; `nil` for not at all.
    ///
    /// With an `intervalMax` each connection's pings come less often as they are answered. Clients are
    /// told that longest interval, by which those that send pings of their own go, too.
    ///
    /// Default: a ping after 25 s of silence, and
    /// `WebSocketCloseReason.heartbeatTimedOut` after 60 s.
    public var heartbeat: Heartbeat? = Heartbeat()
    /// How long a message that a client began may bring nothing more before its connection is closed
    /// with 1001, after which clients come again, and `WebSocketCloseReason.inputStalled`; `nil` for
    /// ever.
    ///
    /// Default 60 s. A client that sends slowly is not cut off, and pings do not count.
    public var inputStallTimeout: Duration? = .seconds(60)
    /// How long the closing handshake may take.
    ///
    /// Default 5 s.
    public var closeTimeout = Duration.seconds(5)

    /// Bytes of messages, idempotency keys and sessions that are held in all; `nil`, the default, for
    /// as many as the other limits allow.
    ///
    /// From seven eighths of it on nobody new is let in (503). Beyond it histories, keys, and what
    /// waits for slow subscribers, the store or the broker, are kept to a quarter of their bounds, too. A
    /// session counts as 1 KiB, a key as 128 bytes and its own.
    ///
    /// Not counted are messages that a client has sent in part (``messageBytesMax`` bounds each), what the
    /// network has not taken (``sendQueueBytesMax``), and what a store holds itself, as ``MemoryMessageStore``
    /// does in memory.
    public var memoryBytesMax: Int?
    /// Sessions of one user; beyond, ``IdentifyError/tooManySessions``.
    ///
    /// Default 100.
    public var sessionsPerUserMax = 100
    /// Questions to one client that are open; beyond, ``RequestError/tooManyRequests``.
    ///
    /// Default 64.
    public var requestsPerSessionMax = 64
    /// Tasks that work for one client at a time; beyond, ``FailureCode/overloaded``. See also
    /// ``subscriptionsPerSessionMax``.
    ///
    /// Default 16.
    public var tasksPerSessionMax = 16
    /// What is around the hub's doings, the outermost first.
    ///
    /// Default: nothing.
    public var middleware: [any HubMiddleware] = []
    /// What keeps histories and inboxes.
    ///
    /// Default: memory.
    public var store: any MessageStore = MemoryMessageStore()
    /// Publications that wait for a durable store, in all; beyond, they are refused. As many may wait for
    /// the ``broker``, and as many messages to users; beyond, transient ones are refused, stored ones reach
    /// other nodes when these miss them, and messages to users only this node's.
    ///
    /// Default 65,536.
    public var storeWaitingMax = 65_536
    /// Bytes of the publications that ``storeWaitingMax`` counts, and as many each of the others there, with
    /// the same beyond; what finds nothing waiting may be larger.
    ///
    /// Default 64 MiB, and a quarter of ``memoryBytesMax`` at most.
    public var storeWaitingBytesMax = 64 << 20
    /// How often what has expired is removed from the store; `nil` for never. Default 60 s.
    public var storeSweepInterval: Duration? = .seconds(60)
    /// What connects the hub to those of other nodes; `nil`, the default, for no others.
    ///
    /// All of them then have to share one ``store``, where their messages have their order. Presence
    /// and campaigns are of each node alone.
    public var broker: (any Broker)?
    /// How messages of inboxes are delivered; `nil`, the default, for no inboxes.
    public var inbox: InboxPolicy?
    /// How clients come back to their sessions by a token; `nil`, the default, for not at all.
    public var resume: ResumePolicy?
    /// Tells the time of the calendar, by which stored messages grow old and bans end.
    ///
    /// Default: the system's.
    public var calendar: @Sendable () -> Timestamp = WallClock.now

    // MARK: - Topics

    /// Bounds of each topic.
    public var topic = TopicLimits()
    /// Bounds of the topic of a name, for its whole life: its history, who is told to be there, what
    /// happens to its slow subscribers. `nil`, the default, for ``topic`` of all.
    ///
    /// Called whenever a topic is made, under a lock: it must be quick, and ask nothing of the hub.
    public var topicLimits: (@Sendable (_ name: String) -> TopicLimits)?
    /// Topics in all; beyond, ``HubServer/topic(_:)`` returns `nil`.
    ///
    /// Default 100,000.
    public var topicsMax = 100_000
    /// How long a topic that nobody holds keeps its history; longer while it remembers idempotency keys.
    ///
    /// Default 60 s.
    public var topicIdleTimeout = Duration.seconds(60)
    /// Topics that are made anew in ``topicIdleTimeout`` for what one session's client subscribes to or
    /// publishes to; beyond, ``FailureCode/rateLimited`` with a time to try again. At least
    /// ``subscriptionsPerSessionMax``.
    ///
    /// Default 1,000.
    public var newTopicsPerSessionMax = 1_000
    /// Subscriptions of one session; beyond, ``SubscribeError/tooManySubscriptions``. As many of its client's
    /// subscriptions and questions, and ``tasksPerSessionMax`` more, may wait until a store has been read, or
    /// until it is known whether the client may; beyond, ``FailureCode/overloaded``. The end of a subscription
    /// is never refused.
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
        // The hub gives a connection more only when the kernel has taken what it was given.
        connection.highWatermark = 0
        connection.lowWatermark = 0
        compression = hub.compression
        handshakeTimeout = hub.handshakeTimeout
        proxies = hub.proxies
        closeTimeout = hub.closeTimeout
        connection.closeTimeout = hub.closeTimeout
        heartbeat = hub.heartbeat
        inputStallTimeout = hub.inputStallTimeout
        connectionsMax = hub.connectionsMax
        handshakesMax = hub.handshakesMax
        handshakesPerAddressMax = hub.handshakesPerAddressMax
    }
}
