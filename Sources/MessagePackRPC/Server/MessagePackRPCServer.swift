public import NetPoll
internal import Synchronization

/// Serves MessagePack-RPC on every loop of a group.
///
///     let server = MessagePackRPCServer(group: group, handlers: handlers)
///     let address = try await server.listen(on: .init(host: "127.0.0.1", port: 18800))
public final class MessagePackRPCServer: Sendable {
    /// The loops that serve.
    public let group: EventLoopGroup

    private let configuration: MessagePackRPCConfiguration
    private let handlers: MessagePackRPCHandlers
    private let listeners = Mutex<[ListenerGroup]>([])
    private let registry = PeerRegistry()

    /// - Parameters:
    ///   - group: The loops to serve on.
    ///   - handlers: The methods to serve.
    ///   - configuration: Bounds and times of each connection.
    /// - Precondition: The configuration's values make sense.
    public init(
        group: EventLoopGroup, handlers: MessagePackRPCHandlers,
        configuration: MessagePackRPCConfiguration = .init()
    ) {
        configuration.check()
        self.group = group
        self.handlers = handlers
        self.configuration = configuration
    }

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
            [registry, configuration, handlers] connection, _ in
            let peer = MessagePeer(connection, configuration, handlers) { registry.remove($0) }
            registry.add(peer)
            return peer
        }
        listeners.withLock { $0.append(listener) }
        return listener.address
    }

    /// The connections of clients that are open now, to call them.
    public var connections: [MessagePackRPCConnection] {
        registry.all.map { MessagePackRPCConnection($0) }
    }

    /// Stops accepting, answers the requests that run, takes no others, and ends each connection
    /// when nothing runs on it; what is left at the deadline is aborted. Returns when no connection
    /// is left. A turn of a loop ends no more than
    /// ``/NetPoll/EventLoop/Configuration/closesPerTurnMax``.
    ///
    /// Call it before ``group`` is shut down.
    ///
    /// - Parameter deadline: How long requests may take to end. Default 10 s.
    public func drain(deadline: Duration = .seconds(10)) async {
        let stopped = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for listener in stopped { await listener.close() }
        registry.drain(deadline, on: group)
        await registry.whenEmpty()
    }
}

/// The connections of a server.
private final class PeerRegistry: Sendable {
    private struct State {
        var peers: [ObjectIdentifier: MessagePeer] = [:]
        var isDraining = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var all: [MessagePeer] { state.withLock { Array($0.peers.values) } }

    func add(_ peer: MessagePeer) {
        let isDraining = state.withLock { state in
            state.peers[ObjectIdentifier(peer)] = peer
            return state.isDraining
        }
        // Accepted just before the listener was closed.
        if isDraining { peer.loop.execute { peer.drain() } }
    }

    func remove(_ peer: MessagePeer) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.peers[ObjectIdentifier(peer)] = nil
            guard state.peers.isEmpty else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func has(_ peer: MessagePeer) -> Bool {
        state.withLock { $0.peers[ObjectIdentifier(peer)] != nil }
    }

    /// Drains every connection, and aborts the rest at the deadline; no more than a loop's
    /// `closesPerTurnMax` in a turn.
    func drain(_ deadline: Duration, on group: EventLoopGroup) {
        state.withLock { $0.isDraining = true }
        for loop in group.loops {
            loop.execute { [self] in
                sweep(loop) { $0.drain() }
                loop.schedule(after: deadline, Deadline(self))
            }
        }
    }

    fileprivate func sweep(_ loop: EventLoop, _ end: @escaping (MessagePeer) -> Void) {
        loop.sweepConnections { [self] connection in
            if let peer = connection.handler as? MessagePeer, has(peer) { end(peer) }
        }
    }

    func whenEmpty() async {
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if !state.peers.isEmpty { state.waiters.append(continuation) }
                return state.peers.isEmpty
            }
            if isEmpty { continuation.resume() }
        }
    }

    /// Ends what is left on its loop.
    private final class Deadline: TimerTarget {
        private let registry: PeerRegistry

        init(_ registry: PeerRegistry) { self.registry = registry }

        func timerFired(_ id: TimerID, on loop: EventLoop) {
            registry.sweep(loop) { $0.connection.abort() }
        }
    }
}
