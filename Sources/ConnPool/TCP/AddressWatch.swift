internal import NetPoll
internal import Synchronization

/// Looks a host's addresses up from time to time, and has the pool's connections replaced where they
/// changed.
final class AddressWatch: TimerTarget, Sendable {
    private struct State {
        var driver: PoolDriver?
        var known: [AddressFamily: Set<SocketAddress>] = [:]
        var timer: TimerID?
    }

    private let host: String
    private let port: UInt16
    private let resolver: any Resolver
    private let interval: Duration
    private let loop: EventLoop
    private let state = Mutex(State())

    init(host: String, port: UInt16, resolver: any Resolver, interval: Duration, loop: EventLoop) {
        precondition(interval > .zero, "refreshInterval of \(interval)")
        self.host = host
        self.port = port
        self.resolver = resolver
        self.interval = interval
        self.loop = loop
    }

    func start(_ driver: PoolDriver) {
        state.withLock { $0.driver = driver }
        ask()
        loop.execute { self.arm() }
    }

    func stop() {
        state.withLock { $0.driver = nil }
        loop.execute { [self] in
            let timer = state.withLock { $0.timer }
            if let timer { loop.cancel(timer) }
        }
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        ask()
        arm()
    }

    private func arm() {
        guard state.withLock({ $0.driver != nil }) else { return }
        let timer = loop.schedule(after: interval, self)
        state.withLock { $0.timer = timer }
    }

    private func ask() {
        for family in [AddressFamily.v6, .v4] {
            resolver.resolve(host, port: port, family: family) { [self] result in
                // A name server that is away says nothing about the host.
                guard case .success(let addresses) = result else { return }
                let changed = state.withLock { state -> PoolDriver? in
                    let (before, after) = (state.known[family], Set(addresses))
                    state.known[family] = after
                    return before == nil || before == after ? nil : state.driver
                }
                changed?.replaceAll()
            }
        }
    }
}
