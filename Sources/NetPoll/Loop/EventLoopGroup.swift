import Synchronization

/// Several loops, each on a thread of its own, until ``shutdown()``.
public final class EventLoopGroup: Sendable {
    /// Settings of a group.
    public struct Configuration: Hashable, Sendable {
        /// How many loops to run. Default: as many as cores this process may use.
        public var loops = Platform.coreCount
        /// The kernel's interface to use. Default ``DriverChoice/automatic``.
        public var driver = DriverChoice.automatic
        /// What to do where it is not to be had. Default ``DriverFallback/refuse``.
        public var driverFallback = DriverFallback.refuse
        /// Settings of each loop.
        public var loop = EventLoop.Configuration()

        public init() {}
    }

    /// The loops, by ``EventLoop/index``.
    public let loops: [EventLoop]

    /// Why the loops do not use the driver that was chosen; `nil` where they do.
    public let fallbackReason: SystemError?

    private let ending: Ending

    /// Starts the loops.
    ///
    /// - Throws: ``SystemError`` where descriptors or threads are exhausted, or the chosen driver is
    ///   not to be had and ``Configuration/driverFallback`` refuses another.
    public init(configuration: Configuration = .init()) throws(SystemError) {
        precondition(configuration.loops > 0, "a group of \(configuration.loops) loops")
        var loops: [EventLoop] = []
        var choice = configuration.driver
        var reason: SystemError?
        for index in 0..<configuration.loops {
            let seed = UInt64.random(in: 0...(.max))
            let driver: any Driver
            do {
                driver = try Platform.makeDriver(choice)
            } catch {
                // Later loops differ from the first only by what the first ones use up.
                guard index == 0, configuration.driverFallback == .automatic else { throw error }
                reason = error
                Platform.logLine(
                    "NetPoll: no \(choice.rawValue) driver (\(error)), using the automatic one")
                choice = .automatic
                driver = try Platform.makeDriver()
            }
            loops.append(
                EventLoop(
                    driver: driver, index: index, configuration: configuration.loop, seed: seed))
        }
        fallbackReason = reason
        self.loops = loops
        let ending = Ending(running: loops.count)
        self.ending = ending
        for (index, loop) in loops.enumerated() {
            do {
                try LoopThread.start {
                    loop.run()
                    ending.loopEnded()
                }
            } catch {
                for started in loops[..<index] { started.execute { started.shutDown() } }
                throw error
            }
        }
    }

    /// A group of loops that somebody else runs turn by turn.
    package init(loops: [EventLoop]) {
        self.loops = loops
        fallbackReason = nil
        ending = Ending(running: 0)
    }

    /// Listens on `address`: by default with one listener per loop, all on the same port, so that a
    /// connection stays on the loop whose listener accepted it (SO_REUSEPORT, socket(7)); see
    /// ``ListenerGroup/Balancing`` for other ways.
    ///
    /// The path of a Unix socket cannot be shared: the first loop accepts for all.
    ///
    /// - Throws: ``SystemError``, for example EADDRINUSE or EACCES; then nothing listens.
    public func listen(
        on address: SocketAddress, configuration: Listener.Configuration = .init(),
        makeHandler: @escaping @Sendable (Connection, SocketAddress) -> any ConnectionHandler
    ) async throws(SystemError) -> ListenerGroup {
        try await listen([.address(address)], configuration, makeHandler)
    }

    /// Accepts on sockets that listen already: those that a predecessor passed
    /// (``ListenerGroup/descriptors()``), or that a service manager opened (``SocketActivation``).
    ///
    /// The loops take them in turn; where there are fewer sockets than loops, connections are handed
    /// to the loops as ``Listener/Configuration/balancing`` says, in turn by default. The listeners
    /// own them from here on.
    ///
    /// - Throws: ``SystemError``: EBADF, ENOTSOCK, or EINVAL where one is no listening stream socket;
    ///   then nothing listens, and what was taken over before is closed.
    public func listen(
        adopting descriptors: [Int32], configuration: Listener.Configuration = .init(),
        makeHandler: @escaping @Sendable (Connection, SocketAddress) -> any ConnectionHandler
    ) async throws(SystemError) -> ListenerGroup {
        try await listen(descriptors.map { .descriptor($0) }, configuration, makeHandler)
    }

    private func listen(
        _ sources: [ListenPlace.Source], _ configuration: Listener.Configuration,
        _ makeHandler: @escaping @Sendable (Connection, SocketAddress) -> any ConnectionHandler
    ) async throws(SystemError) -> ListenerGroup {
        let group = ListenerGroup(loops: loops)
        do throws(SystemError) {
            group.setAddress(
                try await listenOnLoops(sources, configuration.balancing) {
                    loop, place throws(SystemError) in
                    let listener = try loop.listen(place, configuration, makeHandler: makeHandler)
                    group.add(listener)
                    return listener.address
                })
        } catch {
            await group.close()
            throw error
        }
        return group
    }

    /// Ends every loop: listeners are closed, connections aborted with ``CloseReason/shutdown``, no more
    /// of them in a turn than ``EventLoop/Configuration/closesPerTurnMax``, then threads ended. What
    /// connects meanwhile is aborted in the last turn. Returns when all of it is done; later jobs are
    /// refused.
    public func shutdown() async {
        for loop in loops { loop.execute { loop.beginShutDown() } }
        await ending.wait()
    }

    /// Counts the loops that still run, and tells who waits for the last.
    private final class Ending: Sendable {
        private struct State {
            var running: Int
            var waiters: [CheckedContinuation<Void, Never>] = []
        }

        private let state: Mutex<State>

        init(running: Int) {
            state = Mutex(State(running: running))
        }

        func loopEnded() {
            let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
                state.running -= 1
                guard state.running == 0 else { return [] }
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }

        func wait() async {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.running > 0 else { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        }
    }
}

extension EventLoop {
    /// Runs `body` on this loop, at once where the caller is on it, and returns its result; `nil`
    /// where the loop was shut down.
    package func run<Result: Sendable>(
        _ body: @escaping @Sendable () -> Result
    ) async -> Result? {
        if isCurrent { return body() }
        return await withCheckedContinuation { continuation in
            let willRun = execute { continuation.resume(returning: body()) }
            if !willRun { continuation.resume(returning: nil) }
        }
    }
}
