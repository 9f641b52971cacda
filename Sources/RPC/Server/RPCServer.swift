public import NetPoll
import Synchronization

/// Serves calls on every loop of a group.
///
///     var handlers = RPCHandlers()
///     handlers.handle(Greeter.sayHello) { request, context in
///         HelloReply(text: "Hello, \(request.name)")
///     }
///     let server = RPCServer(group: group, handlers: handlers)
///     let address = try await server.listen(on: .init(host: "127.0.0.1", port: 4000))
public final class RPCServer: Sendable {
    /// The loops that serve.
    public let group: EventLoopGroup
    /// The settings in force.
    public let configuration: RPCConfiguration
    /// What `longwire.Health` tells, where ``RPCConfiguration/introspection`` has it.
    public let health = RPCHealth()

    let shards: RPCServerShards
    private let gate: AdmissionGate
    private let listeners = Mutex<[ListenerGroup]>([])

    /// - Parameters:
    ///   - group: The loops to serve on.
    ///   - handlers: The methods to serve.
    ///   - configuration: Bounds and times of each connection.
    ///   - admission: Which calls are run. Default: all.
    /// - Precondition: The values of both make sense.
    public init(
        group: EventLoopGroup, handlers: RPCHandlers, configuration: RPCConfiguration = .init(),
        admission: RPCAdmission = .init()
    ) {
        configuration.check()
        self.group = group
        self.configuration = configuration
        gate = AdmissionGate(admission)
        let source = IntrospectionSource(health)
        var handlers = handlers
        handlers.addIntrospection(configuration.introspection, source)
        shards = RPCServerShards(group, handlers.table, configuration, gate)
        source.begin(shards, group)
    }

    /// What became of the calls that came so far.
    public var admission: RPCAdmissionSnapshot { gate.snapshot }

    /// Starts to serve at `address`; may be called for several.
    ///
    /// - Returns: The address, with the port the kernel chose where 0 was asked for.
    /// - Throws: ``/NetPoll/SystemError``, for example EADDRINUSE or EACCES.
    @discardableResult
    public func listen(on address: SocketAddress) async throws(SystemError) -> SocketAddress {
        keep(
            try await group.listen(on: address, configuration: listening) {
                [shards] connection, _ in
                shards.shard(of: connection.loop).accept(connection)
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
            try await group.listen(adopting: descriptors, configuration: adopting) {
                [shards] connection, _ in
                shards.shard(of: connection.loop).accept(connection)
            })
    }

    private var listening: Listener.Configuration {
        var settings = Listener.Configuration()
        settings.limits = configuration.connection
        settings.options.keepAlive = configuration.tcpKeepAlive
        return settings
    }

    private var adopting: Listener.Configuration {
        var settings = listening
        // A service manager, or a successor, may go on listening there.
        settings.removesSocketFile = false
        return settings
    }

    private func keep(_ listener: ListenerGroup) -> SocketAddress {
        listeners.withLock { $0.append(listener) }
        return listener.address
    }

    /// The sockets that it listens on, to be passed to a successor; its own until it stops accepting. Then
    /// the file of a Unix socket that it has opened itself is removed: nobody reaches a successor there.
    public func listenerDescriptors() async -> [Int32] {
        var found: [Int32] = []
        for listener in listeners.withLock({ $0 }) { found += await listener.descriptors() }
        return found
    }

    /// Stops accepting, and goes on serving whom it has accepted; returns when each of them has called,
    /// or `patience` is over.
    ///
    /// A server that is succeeded does this before it drains, so that nobody who came to it in its last
    /// moments is turned away.
    ///
    /// - Parameter patience: How long a client that calls nothing is waited for. Default 500 ms.
    public func stopAccepting(within patience: Duration = .milliseconds(500)) async {
        await closeListeners()
        // What one loop accepted for another is there by now.
        for loop in group.loops { _ = await loop.run {} }
        await onEachShard { $0.whenAllCalled(within: patience, $1) }
    }

    /// Stops accepting, lets the calls that run end, and tells clients that know the extensions to go
    /// elsewhere (GOAWAY); what is left at the deadline is aborted. Returns when no connection is
    /// left. A turn of a loop ends, or tells, no more than
    /// ``/NetPoll/EventLoop/Configuration/closesPerTurnMax``.
    ///
    /// Call it before ``group`` is shut down. The server serves nobody afterwards.
    ///
    /// - Parameter deadline: How long calls may take to end. Default 10 s.
    public func drain(deadline: Duration = .seconds(10)) async {
        health.drain()
        await closeListeners()
        await onEachShard { $0.drain(deadline, $1) }
    }

    private func closeListeners() async {
        let stopped = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for listener in stopped { await listener.close() }
    }

    /// Begins something on every loop, and returns when each has told that it is done.
    private func onEachShard(
        _ begin: @escaping @Sendable (RPCServerShard, @escaping @Sendable () -> Void) -> Void
    ) async {
        await withTaskGroup { tasks in
            for loop in group.loops {
                tasks.addTask { [shards] in
                    await withCheckedContinuation { continuation in
                        let willRun = loop.execute {
                            begin(shards.shard(of: loop)) { continuation.resume() }
                        }
                        // A loop that was shut down has no connections.
                        if !willRun { continuation.resume() }
                    }
                }
            }
        }
    }
}
