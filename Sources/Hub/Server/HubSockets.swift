public import NetPoll
import Synchronization

/// The listening sockets of a hub: its own, a service manager's, or those of the server that it succeeds;
/// and passed on to the one that succeeds it, so that a restart refuses nobody.
///
/// ```swift
/// let activated = try SocketActivation.takeDescriptors()
/// let sockets = try await HubSockets.take(activated, handover: path, on: group)
/// // … open the store, make the hub …
/// let bound = try await sockets.listen(hub, on: address)
/// await sockets.serve(hub, drainingWithin: .seconds(5)) { for await _ in signals { break } }
/// await store.close()
/// await sockets.letGo()
/// await group.shutdown()
/// ```
///
/// <doc:RestartingWithoutARefusal> tells what happens between the two servers.
public final class HubSockets: Sendable {
    private struct State {
        /// Those that nothing listens on yet; a predecessor's hub's come first.
        var taken: [Int32]
        var isInherited = false
        /// Of the servers beside the hub.
        var shared: [@Sendable () async -> [Int32]] = []
    }

    private let state: Mutex<State>
    private let path: String?
    private let group: EventLoopGroup
    private let handover = Mutex<ListenerHandover?>(nil)

    private init(_ state: State, handover path: String?, on group: EventLoopGroup) {
        self.state = Mutex(state)
        self.path = path
        self.group = group
    }

    deinit {
        for socket in state.withLock({ $0.taken }) { _ = OpenFile(adopting: socket) }
    }

    /// Takes the sockets that there are: those of a service manager; or else those of the server that
    /// waits at `path`, and then this returns when that server has drained and let go of its store.
    ///
    /// To be done before anything is opened that the two cannot share, and before other threads use the
    /// environment.
    ///
    /// - Parameters:
    ///   - activated: What `SocketActivation` gave.
    ///   - path: A Unix socket's path where servers of one user succeed each other; `nil` for nowhere.
    ///     Nobody else should be able to write there.
    ///   - group: The hub's loops.
    ///   - patience: How long the predecessor may take. Default 60 s.
    /// - Returns: The sockets, to ``listen(_:on:)`` on; perhaps none.
    /// - Throws: `SystemError`: EBUSY where another succeeds that server already, EPERM where it is
    ///   another user's, ETIMEDOUT, or what connecting to the path fails with.
    public static func take(
        _ activated: [SocketActivation.Descriptor] = [], handover path: String? = nil,
        on group: EventLoopGroup, within patience: Duration = .seconds(60)
    ) async throws(SystemError) -> HubSockets {
        var state = State(taken: activated.map(\.descriptor))
        if state.taken.isEmpty, let path {
            state.taken = try await ListenerHandover.inherit(
                from: path, on: group, within: patience)
            state.isInherited = true
        }
        return HubSockets(state, handover: path, on: group)
    }

    /// Gives those of the sockets that listen on `port` to a server beside the hub, and passes that
    /// server's on to a successor with the hub's. To be called before ``listen(_:on:)``.
    ///
    /// ```swift
    /// let own = sockets.share(port: 4000) { await calls.listenerDescriptors() }
    /// if own.isEmpty {
    ///     try await calls.listen(on: address)
    /// } else {
    ///     try await calls.listen(adopting: own)
    /// }
    /// ```
    ///
    /// Such a server stops accepting between ``serve(_:drainingWithin:reconnectingWithin:until:)`` and
    /// ``letGo()``.
    ///
    /// - Parameters:
    ///   - port: Where the server listens; for 0, a port of the system's choice, there are none.
    ///   - descriptors: The server's sockets, asked for when a successor asks. With the hub's they are at
    ///     most `ListenerHandover.socketsMax`.
    /// - Returns: The sockets, the caller's to adopt or close; none where it has to listen by itself.
    public func share(
        port: UInt16, descriptors: @escaping @Sendable () async -> [Int32]
    ) -> [Int32] {
        state.withLock { state in
            state.shared.append(descriptors)
            let own = state.taken.filter { ListeningPort.of($0) == port }
            state.taken.removeAll { own.contains($0) }
            return own
        }
    }

    /// Lets the hub listen on the sockets, or on `address` where there were none; waits for a successor
    /// from then on; and tells the service manager that it is ready, and then that it lives, where that
    /// watches (`ServiceNotification.keepAlive(on:)`).
    ///
    /// Of a predecessor's sockets the hub takes those of one port, its first. One that listens on more
    /// takes the others by ``share(port:descriptors:)`` before, without sockets of its own to pass on, for
    /// the hub's are passed on in any case:
    ///
    /// ```swift
    /// let more = sockets.share(port: 8081) { [] }
    /// let bound = try await sockets.listen(hub, on: address)
    /// if more.isEmpty {
    ///     try await hub.listen(on: other)
    /// } else {
    ///     try await hub.listen(adopting: more)
    /// }
    /// ```
    ///
    /// - Returns: The address in force.
    /// - Throws: `SystemError`, for example EADDRINUSE.
    public func listen(
        _ hub: HubServer, on address: SocketAddress
    ) async throws(SystemError) -> SocketAddress {
        let (sockets, shared) = takeOwn()
        let bound =
            sockets.isEmpty
            ? try await hub.listen(on: address) : try await hub.listen(adopting: sockets)
        if let path {
            let offer = try await ListenerHandover.offer(at: path, on: group) { [weak hub] in
                var found = await hub?.listenerDescriptors() ?? []
                // A hub that ends passes nothing on, and neither do those beside it.
                guard !found.isEmpty else { return [] }
                for descriptors in shared { found += await descriptors() }
                return found
            }
            handover.withLock { $0 = offer }
        }
        try ServiceNotification.send(.ready)
        ServiceNotification.keepAlive(on: group)
        return bound
    }

    /// The hub's own sockets. What else a predecessor passed is closed: it had a server beside its hub that
    /// this one lacks.
    private func takeOwn() -> (sockets: [Int32], shared: [@Sendable () async -> [Int32]]) {
        state.withLock { state in
            var own = state.taken
            state.taken = []
            if state.isInherited, let first = own.first {
                let port = ListeningPort.of(first)
                let strays = own.filter { ListeningPort.of($0) != port }
                own.removeAll { strays.contains($0) }
                for socket in strays { _ = OpenFile(adopting: socket) }
            }
            return (own, state.shared)
        }
    }

    /// Serves until `stop` returns or a successor has the sockets, then stops accepting
    /// (``HubServer/stopAccepting(within:)``) and drains the hub
    /// (``HubServer/drain(deadline:reconnectingWithin:)``). A successor waits until ``letGo()``.
    ///
    /// - Parameters:
    ///   - hub: What ``listen(_:on:)`` was called with.
    ///   - deadline: How long draining may take.
    ///   - spread: Over how long the sessions are told to spread their coming again.
    ///   - stop: What ends the service, such as a signal; cancelled where a successor was faster.
    /// - Returns: Whether there is a successor.
    @discardableResult
    public func serve(
        _ hub: HubServer, drainingWithin deadline: Duration,
        reconnectingWithin spread: Duration = .zero,
        until stop: @escaping @Sendable () async -> Void
    ) async -> Bool {
        let offer = handover.withLock { $0 }
        let isSucceeded: Bool
        if let offer {
            isSucceeded = await offer.passed(before: stop)
        } else {
            await stop()
            isSucceeded = false
        }
        do {
            try ServiceNotification.send(.stopping)
        } catch {
            // A manager that does not hear it sees the process end.
        }
        // Who was accepted last is served, and who comes from now on waits for whoever has the sockets.
        await hub.stopAccepting()
        await hub.drain(deadline: deadline, reconnectingWithin: spread)
        return isSucceeded
    }

    /// Lets a successor go on. To be called when the store is closed.
    public func letGo() async {
        await handover.withLock { $0 }?.end()
    }
}
