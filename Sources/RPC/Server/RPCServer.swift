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
        var settings = Listener.Configuration()
        settings.limits = configuration.connection
        settings.options.keepAlive = configuration.tcpKeepAlive
        let listener = try await group.listen(on: address, configuration: settings) {
            [shards] connection, _ in
            shards.shard(of: connection.loop).accept(connection)
        }
        listeners.withLock { $0.append(listener) }
        return listener.address
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
        let stopped = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for listener in stopped { await listener.close() }
        await withTaskGroup { draining in
            for loop in group.loops {
                draining.addTask { [shards] in
                    await withCheckedContinuation { continuation in
                        let willRun = loop.execute {
                            shards.shard(of: loop).drain(deadline) { continuation.resume() }
                        }
                        // A loop that was shut down has no connections.
                        if !willRun { continuation.resume() }
                    }
                }
            }
        }
    }
}
