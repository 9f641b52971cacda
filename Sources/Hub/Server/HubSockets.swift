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
    /// Those that nothing listens on yet.
    private let taken: Mutex<[Int32]>
    private let path: String?
    private let group: EventLoopGroup
    private let handover = Mutex<ListenerHandover?>(nil)

    private init(_ taken: [Int32], handover path: String?, on group: EventLoopGroup) {
        self.taken = Mutex(taken)
        self.path = path
        self.group = group
    }

    deinit {
        for socket in taken.withLock({ $0 }) { _ = OpenFile(adopting: socket) }
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
        var taken = activated.map(\.descriptor)
        if taken.isEmpty, let path {
            taken = try await ListenerHandover.inherit(from: path, on: group, within: patience)
        }
        return HubSockets(taken, handover: path, on: group)
    }

    /// Lets the hub listen on the sockets, or on `address` where there were none; waits for a successor
    /// from then on; and tells the service manager that it is ready, and then that it lives, where that
    /// watches (`ServiceNotification.keepAlive(on:)`).
    ///
    /// - Returns: The address in force.
    /// - Throws: `SystemError`, for example EADDRINUSE.
    public func listen(
        _ hub: HubServer, on address: SocketAddress
    ) async throws(SystemError) -> SocketAddress {
        let sockets = taken.withLock { taken in
            defer { taken = [] }
            return taken
        }
        let bound =
            sockets.isEmpty
            ? try await hub.listen(on: address) : try await hub.listen(adopting: sockets)
        if let path {
            let offer = try await ListenerHandover.offer(at: path, on: group) { [weak hub] in
                await hub?.listenerDescriptors() ?? []
            }
            handover.withLock { $0 = offer }
        }
        try ServiceNotification.send(.ready)
        ServiceNotification.keepAlive(on: group)
        return bound
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
