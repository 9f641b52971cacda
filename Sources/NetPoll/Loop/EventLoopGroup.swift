import Synchronization

/// Several loops, each on a thread of its own, until ``shutdown()``.
public final class EventLoopGroup: Sendable {
    /// Settings of a group.
    public struct Configuration: Hashable, Sendable {
        /// How many loops to run. Default: the machine's cores.
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
    /// The path of a Unix socket cannot be shared: that takes a group of one loop.
    ///
    /// - Throws: ``SystemError``, for example EADDRINUSE or EACCES; then nothing listens.
    public func listen(
        on address: SocketAddress, configuration: Listener.Configuration = .init(),
        makeHandler: @escaping @Sendable (Connection, SocketAddress) -> any ConnectionHandler
    ) async throws(SystemError) -> ListenerGroup {
        let group = ListenerGroup(loops: loops)
        var bound = address
        let isShared =
            loops.count > 1 && configuration.balancing == .kernel && address.port != nil
        for loop in isShared ? loops : Array(loops[..<1]) {
            let target = bound
            let result: Result<SocketAddress, SystemError>? = await loop.run { [loops] in
                do throws(SystemError) {
                    let listener = try loop.listen(
                        on: target, configuration: configuration, sharesPort: isShared,
                        joinsShared: isShared && loop.index > 0,
                        targets: isShared || loops.count == 1 ? nil : loops,
                        makeHandler: makeHandler)
                    group.add(listener)
                    return .success(listener.address)
                } catch {
                    return .failure(error)
                }
            }
            switch result {
            case .success(let address): bound = address
            case .failure(let error):
                await group.close()
                throw error
            case nil:
                await group.close()
                throw SystemError(
                    code: Platform.Errno.cancelled, operation: "listen on a loop that was shut down"
                )
            }
        }
        group.setAddress(bound)
        return group
    }

    /// Ends every loop: listeners are closed, connections aborted with ``CloseReason/shutdown``,
    /// threads ended. Returns when all of it is done; later jobs are refused.
    public func shutdown() async {
        for loop in loops { loop.execute { loop.shutDown() } }
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
