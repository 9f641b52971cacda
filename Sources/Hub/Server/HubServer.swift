public import Logging
public import NetPoll
import Synchronization
public import WSFrame
import WSTransport

/// A WebSocket server with sessions and topics.
///
/// ```swift
/// let hub = HubServer(group: try EventLoopGroup(), application: Chat(), logger: logger)
/// try await hub.listen(on: SocketAddress(host: "127.0.0.1", port: 8080))
/// ```
///
/// Keep it as long as it shall serve. Any thread may use it. What it tells the application, it tells on the loops of its group.
public final class HubServer: Sendable {
    let configuration: HubConfiguration
    private let group: EventLoopGroup
    package let logger: Logger
    let shards: [HubShard]
    let directories: HubDirectories
    private let registry: TopicRegistry
    let gate: UpgradeGate
    let server: WebSocketServer
    /// The one sweeper of the topics runs.
    private let isSweeping = Atomic(false)

    /// Creates a hub, which serves nobody before ``listen(on:)``.
    ///
    /// - Parameters:
    ///   - group: The loops to run on; at most 256. They are the caller's to shut down.
    ///   - configuration: The limits.
    ///   - application: Decides who comes in and what sessions do.
    ///   - logger: Told of each client that gets no session and each session that ends badly at level
    ///     debug, of draining at info, and of a store or broker that fails at warning. By default one
    ///     with the label `hub`.
    public init(
        group: EventLoopGroup, configuration: HubConfiguration = .init(),
        application: any HubApplication, logger: Logger = Logger(label: "hub")
    ) {
        self.configuration = configuration
        self.group = group
        self.logger = logger
        let ledger = MemoryLedger(bytesMax: configuration.memoryBytesMax)
        let inboxes = configuration.inbox.map {
            InboxWriter(
                store: configuration.store, policy: $0, ledger, on: group.loops[0],
                calendar: configuration.calendar)
        }
        let bounds = WaitingBounds(
            itemsMax: configuration.storeWaitingMax, bytesMax: configuration.storeWaitingBytesMax,
            ledger: ledger)
        // What several nodes publish has its one order in the store.
        let isStored = configuration.store.durability == .durable || configuration.broker != nil
        let histories =
            isStored
            ? HistoryWriter(
                store: configuration.store, bounds, on: group.loops[0],
                calendar: configuration.calendar) : nil
        let node = configuration.broker.map {
            HubNode($0, bounds, on: group.loops[0], logger: logger)
        }
        let directories = HubDirectories(
            configuration, ledger: ledger, inboxes: inboxes, histories: histories, node: node)
        self.directories = directories
        let shards = group.loops.map { loop in
            HubShard(
                loop: loop, application: application, configuration: configuration,
                directories: directories, logger: logger)
        }
        self.shards = shards
        registry = TopicRegistry(
            topicsMax: configuration.topicsMax
        ) { name in
            let topic = Topic(
                name: name, epoch: .random(), shards: shards,
                limits: configuration.topicLimits?(name) ?? configuration.topic,
                protocols: configuration.protocols.count, isLoaded: histories == nil)
            if let histories { topic.load(from: histories.store, on: shards[0].loop) }
            return topic
        } forgot: {
            node?.unfollow($0.name)
        }
        let gate = UpgradeGate(shards: shards, configuration: configuration)
        self.gate = gate
        server = WebSocketServer(
            group: group, configuration: .init(configuration),
            observe: { failure, address in
                logger.debug(
                    "no session", metadata: ["remote": "\(address)", "reason": "\(failure)"])
            }, accessLog: configuration.accessLog
        ) { request, loop, address in
            gate.decide(request, on: loop, from: address)
        }
        gate.attach(to: self)
        directories.attach(to: self)
        node?.attach(to: self)
    }

    deinit {
        guard let node = directories.node else { return }
        Task { await node.leave() }
    }

    // MARK: - Life

    /// Begins to serve on every loop.
    ///
    /// - Returns: The address, with the port that the system chose where 0 was asked for.
    /// - Throws: `SystemError`, for example EADDRINUSE or EACCES.
    @discardableResult
    public func listen(on address: SocketAddress) async throws(SystemError) -> SocketAddress {
        let bound = try await server.listen(on: address)
        await begin(at: bound)
        return bound
    }

    /// Begins to serve on sockets that listen already: those of a predecessor (`ListenerHandover`), or
    /// of a service manager (`SocketActivation`).
    ///
    /// - Returns: Their address.
    /// - Throws: `SystemError`: EBADF, ENOTSOCK, or EINVAL where one is no listening stream socket.
    @discardableResult
    public func listen(adopting descriptors: [Int32]) async throws(SystemError) -> SocketAddress {
        let bound = try await server.listen(adopting: descriptors)
        await begin(at: bound)
        return bound
    }

    /// What goes on beside the clients, from the first listening on.
    private func begin(at address: SocketAddress) async {
        logger.debug("listening", metadata: ["address": "\(address)"])
        guard !isSweeping.exchange(true, ordering: .relaxed) else { return }
        sweep()
        await directories.node?.joinIfPossible()
    }

    /// What a hub holds for its clients, to be asked while its loops rest.
    package struct Held: Hashable, Sendable {
        package var sessions = 0
        package var users = 0
        package var parts = 0
        package var topics = 0

        package init() {}
    }

    /// Bytes that its memory ceiling counts; 0 where it has none.
    public var heldBytes: Int { directories.ledger.bytes }

    /// What there is now, and what was done with messages since the hub was made.
    public struct Totals: Hashable, Sendable {
        /// Sessions.
        public var sessions = 0
        /// Connections that are no sessions, or not yet.
        public var handshakes = 0
        /// The most of them that there were at a time, at most ``HubConfiguration/handshakesMax``.
        public var handshakesPeak = 0
        /// Users with sessions.
        public var users = 0
        /// Topics.
        public var topics = 0
        /// What all topics did, those among them that are forgotten.
        public var messages = TopicMetrics()
    }

    /// What there is now, and what was done with messages since the hub was made.
    ///
    /// Complexity: O(topics).
    public var totals: Totals {
        let (topics, messages) = registry.totals
        return Totals(
            sessions: sessionCount, handshakes: server.handshakeCount,
            handshakesPeak: server.handshakesPeak, users: directories.sessions.count,
            topics: topics, messages: messages)
    }

    /// What topics did that are forgotten.
    var pastMessages: TopicMetrics { registry.pastMessages }

    package var held: Held {
        var held = Held()
        for shard in shards {
            held.sessions += shard.sessions.count
            held.parts += shard.parts.count { $0 != nil }
        }
        held.users = directories.sessions.count
        held.topics = registry.topics.count
        return held
    }

    /// The first of its loops.
    package var firstLoop: EventLoop { group.loops[0] }

    // MARK: - Topics

    /// The topic of that name, made where there is none.
    ///
    /// - Returns: `nil` where ``HubConfiguration/topicsMax`` is reached.
    public func topic(_ name: String) -> Topic? {
        registry.topic(named: name)
    }

    /// As ``topic(_:)``, and waits until what a durable store knows of it has been read, for as long as that
    /// fails.
    ///
    /// - Returns: `nil` also where the task is cancelled before.
    public func openTopic(_ name: String) async -> Topic? {
        guard let topic = topic(name), await topic.loaded() else { return nil }
        return topic
    }

    /// The topic of that name, if there is one.
    public func existingTopic(_ name: String) -> Topic? {
        registry.existingTopic(named: name)
    }

    /// All topics, in no order.
    ///
    /// Complexity: O(topics).
    public var topics: [Topic] { registry.topics }

    // MARK: - Sessions

    /// How many sessions there are.
    public var sessionCount: Int { server.connectionCount }

    /// Sends a message to one session; nothing happens where it has ended.
    public func send(_ message: PreparedMessage, to id: SessionID) {
        withSession(id) { $0.send(message) }
    }

    /// Runs `body` with the session of that id, on its loop, unless it has ended.
    public func withSession(_ id: SessionID, _ body: @escaping @Sendable (Session) -> Void) {
        precondition(Int(id.loop) < shards.count, "session \(id) is of another hub")
        let shard = shards[Int(id.loop)]
        shard.loop.execute {
            if let session = shard.sessions[id] { body(session) }
        }
    }

    /// As ``withSession(_:_:)``, and tells where it has ended.
    func withSessionIfAny(_ id: SessionID, _ body: @escaping @Sendable (Session?) -> Void) {
        precondition(Int(id.loop) < shards.count, "session \(id) is of another hub")
        let shard = shards[Int(id.loop)]
        let willRun = shard.loop.execute { body(shard.sessions[id]) }
        // With its loop every session has ended.
        if !willRun { body(nil) }
    }

    private func sweep() {
        let topics = TopicSweeper(registry: registry, interval: configuration.topicIdleTimeout)
        let store = StoreSweeper(configuration, of: registry, logger: logger)
        let loop = group.loops[0]
        loop.execute {
            topics.schedule(on: loop)
            store?.schedule(on: loop)
        }
    }
}
