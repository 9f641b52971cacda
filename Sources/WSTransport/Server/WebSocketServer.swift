public import NetPoll
import Synchronization
public import WSFrame

/// Serves WebSockets, and plain HTTP/1.1 requests on the same port, on every loop of a group.
///
///     let server = WebSocketServer(group: group) { request, loop, remoteAddress in
///         .upgrade(Echo())
///     }
///     let address = try await server.listen(on: .init(host: "127.0.0.1", port: 8080))
public final class WebSocketServer: Sendable {
    /// Decides about each request, on the loop of its connection.
    public typealias Accept =
        @Sendable (HTTPRequest, EventLoop, _ remoteAddress: SocketAddress) -> Decision

    /// Is told of clients that got no WebSocket and of requests that failed, on the loop of their
    /// connection.
    public typealias Observe = @Sendable (HandshakeFailure, SocketAddress) -> Void

    /// Is told of each request that was answered, on the loop of its connection.
    public typealias AccessLog = @Sendable (HTTPAccess) -> Void

    /// The loops that serve.
    public let group: EventLoopGroup
    /// The settings in force.
    public let configuration: Configuration

    private let shards: ServerShards
    private let listeners = Mutex<[ListenerGroup]>([])

    /// - Parameters:
    ///   - group: The loops to serve on.
    ///   - configuration: Limits and timeouts.
    ///   - screen: May refuse a request while its head still arrives, with a status of its choice; on
    ///     the loop of its connection.
    ///   - observe: Is told of what failed, for logs and metrics.
    ///   - accessLog: Is told of each request that was answered; by default nobody is.
    ///   - accept: Decides about each request whose head is whole and valid.
    public init(
        group: EventLoopGroup, configuration: Configuration = .init(),
        screen: HTTPScreen? = nil, observe: @escaping Observe = { _, _ in },
        accessLog: AccessLog? = nil, accept: @escaping Accept
    ) {
        self.group = group
        self.configuration = configuration
        shards = ServerShards(
            group: group, configuration: configuration, screen: screen, observe: observe,
            accessLog: accessLog, accept: accept)
    }

    /// How many WebSockets are open, over all loops.
    public var connectionCount: Int { shards.counts.webSockets.load(ordering: .relaxed) }

    /// How many connections are no WebSockets, or not yet, over all loops.
    public var handshakeCount: Int { shards.counts.handshakes.load(ordering: .relaxed) }

    /// The most of them that there were at a time, at most ``Configuration/handshakesMax``.
    public var handshakesPeak: Int { shards.counts.handshakesPeak.load(ordering: .relaxed) }

    /// Starts to serve at `address`; may be called for several.
    ///
    /// The file of a Unix socket stays, for a successor may go on listening there; whoever listens next
    /// replaces one on which nobody does.
    ///
    /// - Returns: The address, with the port the kernel chose where 0 was asked for.
    /// - Throws: ``/NetPoll/SystemError``, for example EADDRINUSE or EACCES.
    @discardableResult
    public func listen(on address: SocketAddress) async throws(SystemError) -> SocketAddress {
        keep(
            try await group.listen(on: address, configuration: listening) {
                [shards] connection, remoteAddress in
                HTTPExchange(
                    shard: shards.shard(of: connection.loop), remoteAddress: remoteAddress)
            })
    }

    /// Starts to serve on sockets that listen already: those of a predecessor
    /// (``/NetPoll/ListenerHandover``), or of a service manager (``/NetPoll/SocketActivation``).
    ///
    /// - Returns: Their address.
    /// - Throws: ``/NetPoll/SystemError``; see
    ///   ``/NetPoll/EventLoopGroup/listen(adopting:configuration:makeHandler:)``.
    @discardableResult
    public func listen(adopting descriptors: [Int32]) async throws(SystemError) -> SocketAddress {
        keep(
            try await group.listen(adopting: descriptors, configuration: listening) {
                [shards] connection, remoteAddress in
                HTTPExchange(
                    shard: shards.shard(of: connection.loop), remoteAddress: remoteAddress)
            })
    }

    private var listening: Listener.Configuration {
        var settings = Listener.Configuration()
        // A successor, or a service manager, may go on listening there.
        settings.removesSocketFile = false
        settings.backlog = configuration.backlog
        settings.exhaustion = configuration.exhaustion
        settings.limits = configuration.connection
        return settings
    }

    private func keep(_ listener: ListenerGroup) -> SocketAddress {
        listeners.withLock { $0.append(listener) }
        return listener.address
    }

    /// The sockets that it listens on, to be passed to a successor; its own until it stops accepting.
    public func listenerDescriptors() async -> [Int32] {
        var found: [Int32] = []
        for listener in listeners.withLock({ $0 }) { found += await listener.descriptors() }
        return found
    }

    /// Stops accepting, and goes on serving whom it has accepted; returns when each of them has had an
    /// answer, or `patience` is over. A connection on which nothing is asked waits that long.
    ///
    /// A server that is succeeded does this before it drains, so that nobody who came to it in its last
    /// moments is turned away.
    ///
    /// - Parameter patience: Default 500 ms.
    public func stopAccepting(within patience: Duration = .milliseconds(500)) async {
        await closeListeners()
        // What one loop accepted for another is there by now.
        for loop in group.loops { _ = await loop.run {} }
        let loop = group.loops[0]
        await withCheckedContinuation { continuation in
            let willRun = loop.execute { [counts = shards.counts] in
                let look = UnansweredLook(counts, until: loop.now + patience) {
                    continuation.resume()
                }
                look.timerFired(.none, on: loop)
            }
            if !willRun { continuation.resume() }
        }
    }

    private func closeListeners() async {
        let stopped = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for listener in stopped { await listener.close() }
    }

    /// Stops accepting, closes every WebSocket with `code` and waits for their answers; what is left
    /// at the deadline is aborted. Returns when no connection is left. A turn of a loop closes, or
    /// aborts, no more than ``/NetPoll/EventLoop/Configuration/closesPerTurnMax``.
    ///
    /// Call it once, before ``group`` is shut down. The server serves nobody afterwards.
    public func drain(code: CloseCode = .goingAway, deadline: Duration = .seconds(10)) async {
        await closeListeners()
        await withCheckedContinuation { continuation in
            beginDrain(code: code, deadline: deadline) { continuation.resume() }
        }
    }

    /// As ``drain(code:deadline:)`` but for the listeners, which go on to refuse; `whenDone` is
    /// called on one of the loops.
    package func beginDrain(
        code: CloseCode, deadline: Duration, whenDone: @escaping @Sendable () -> Void
    ) {
        let left = DrainCount(group.loops.count)
        for loop in group.loops {
            let willRun = loop.execute { [shards] in
                shards.shard(of: loop).drain(loop, code: code, deadline: deadline) {
                    if left.countDown() { whenDone() }
                }
            }
            // A loop that was shut down has no connections.
            if !willRun, left.countDown() { whenDone() }
        }
    }
}

/// Looks now and then whether everybody has had an answer.
private final class UnansweredLook: AwaitedTimerTarget {
    private static let interval = Duration.milliseconds(5)

    private let counts: ServerCounts
    private let deadline: Instant
    private let whenDone: () -> Void

    init(_ counts: ServerCounts, until deadline: Instant, _ whenDone: @escaping () -> Void) {
        self.counts = counts
        self.deadline = deadline
        self.whenDone = whenDone
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        guard counts.unanswered.load(ordering: .relaxed) > 0, loop.now < deadline else {
            return whenDone()
        }
        loop.schedule(after: Self.interval, self)
    }

    func timerDropped() { whenDone() }
}

/// Loops that still drain.
private final class DrainCount: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) {
        left = Atomic(count)
    }

    /// Whether this was the last.
    func countDown() -> Bool {
        left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
    }
}
