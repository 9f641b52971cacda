public import NetPoll

/// A network in memory with a clock that moves only when it is told to.
///
/// Loops made here run in the test's own thread, turn by turn; peers are scripted. Everything that
/// happens follows from the seed, so a failing run can be repeated. A week of heartbeats takes as
/// long as its events, and no test sleeps.
///
/// Not `Sendable`: used by one test, in one thread.
public final class SimulatedNetwork {
    /// What goes wrong; may be changed while the simulation runs.
    public var faults: Faults

    /// The most sockets each loop may have open before accepts fail with EMFILE; `nil`: no limit.
    public var descriptorsMax: Int?

    /// The present.
    public private(set) var now = Instant(nanoseconds: 1_000_000_000)

    /// Sends that loops offered so far.
    public private(set) var sends = 0

    /// The loops made here, by index.
    public private(set) var loops: [EventLoop] = []

    var random: SeededGenerator

    private var drivers: [SimulatedDriver] = []
    private var listeners: [SocketAddress: [SimulatedDriver]] = [:]
    private var nextListener = 0
    private var nextPort: UInt16 = 49_152
    private var arrivals = ArrivalQueue()
    private var readyPeers: [SimulatedPeer] = []

    public init(seed: UInt64 = 0, faults: Faults = Faults()) {
        random = SeededGenerator(seed: seed)
        self.faults = faults
    }

    /// Makes a loop on this network.
    public func makeLoop(configuration: EventLoop.Configuration = .init()) -> EventLoop {
        let driver = SimulatedDriver(network: self)
        let loop = EventLoop(
            driver: driver, index: loops.count, configuration: configuration, seed: random.next())
        drivers.append(driver)
        loops.append(loop)
        loop.bindToCurrentThread()
        return loop
    }

    /// Makes a group of loops on this network, which must have none yet.
    public func makeGroup(
        loops count: Int = 1, configuration: EventLoop.Configuration = .init()
    ) -> EventLoopGroup {
        precondition(loops.isEmpty, "the network has \(loops.count) loops already")
        return EventLoopGroup(
            loops: (0..<count).map { _ in makeLoop(configuration: configuration) })
    }

    /// Connects a scripted peer; the listeners of a shared port take turns.
    ///
    /// - Parameters:
    ///   - address: Where a loop listens.
    ///   - windowBytes: How many unread bytes each side holds before its partner is stopped.
    /// - Returns: The peer, or `nil` where nothing listens at `address` or the backlog is full.
    public func connect(
        to address: SocketAddress, windowBytes: Int = 64 << 10
    ) -> SimulatedPeer? {
        guard let drivers = listeners[address], !drivers.isEmpty else { return nil }
        let from = SocketAddress.v4(0x0100_007f, port: unusedPort())
        let server = Endpoint(network: self, address: from, windowBytes: windowBytes)
        let client = Endpoint(network: self, address: address, windowBytes: windowBytes)
        server.join(client)
        let driver = drivers[nextListener % drivers.count]
        nextListener += 1
        guard driver.enqueue(server, to: address) else { return nil }
        let peer = SimulatedPeer(endpoint: client, network: self)
        client.owner = peer
        return peer
    }

    // MARK: - Running

    /// Runs loops and peers until none has anything to do at the present moment.
    ///
    /// - Parameter turnsMax: Traps beyond it: something spins.
    public func runUntilIdle(turnsMax: Int = 1_000_000) {
        for loop in loops { loop.bindToCurrentThread() }
        var turns = 0
        while step() {
            turns += 1
            precondition(turns <= turnsMax, "not idle after \(turnsMax) rounds at \(now)")
        }
    }

    /// Runs until `duration` has passed on the simulated clock.
    public func run(for duration: Duration) {
        let end = now + duration
        runUntilIdle()
        while let next = nextEvent, next <= end {
            now = max(now, next)
            runUntilIdle()
        }
        now = end
        runUntilIdle()
    }

    /// Runs until `condition` holds, moving the clock only when nothing else is to be done.
    ///
    /// The condition is asked again after every burst of work, and may itself make some.
    ///
    /// - Returns: Whether it came to hold within `duration`.
    public func run(within duration: Duration, until condition: () -> Bool) -> Bool {
        let end = now + duration
        runUntilIdle()
        while !condition() {
            if step() {
                runUntilIdle()
                continue
            }
            guard let next = nextEvent, next <= end else { return false }
            now = max(now, next)
            runUntilIdle()
        }
        return true
    }

    /// Sockets and listeners that loops hold open: 0 when everything was closed.
    public var openDescriptors: Int { drivers.reduce(0) { $0 + $1.openDescriptors } }

    private var nextEvent: Instant? {
        let timer = loops.compactMap(\.nextTimer).min()
        guard let arrival = arrivals.first else { return timer }
        return timer.map { min($0, arrival) } ?? arrival
    }

    private func step() -> Bool {
        var progressed = false
        while let endpoint = arrivals.popDue(now) {
            endpoint.land()
            progressed = true
        }
        let peers = readyPeers
        readyPeers = []
        for peer in peers { peer.act() }
        var order = Array(loops.indices)
        if faults.reordersReadiness { order.shuffle(using: &random) }
        for index in order {
            let loop = loops[index]
            let isDue = loop.nextTimer.map { $0 <= now } ?? false
            guard drivers[index].hasEvents || loop.hasWork || isDue else { continue }
            loop.turn(until: now)
            progressed = true
        }
        return progressed || !peers.isEmpty || !readyPeers.isEmpty
    }

    // MARK: - For drivers, endpoints and peers

    func schedule(_ instant: Instant, _ endpoint: Endpoint) {
        arrivals.push(instant, endpoint)
    }

    func drawArrival() -> Instant {
        guard faults.delayMax > .zero else { return now }
        let longest = (now + faults.delayMax - now) / .nanoseconds(1)
        return now + .nanoseconds(Int64.random(in: 0...Int64(longest), using: &random))
    }

    func noteSend() { sends += 1 }

    func becameReady(_ peer: SimulatedPeer) { readyPeers.append(peer) }

    func unusedPort() -> UInt16 {
        defer { nextPort = nextPort == .max ? 49_152 : nextPort + 1 }
        return nextPort
    }

    func isTaken(_ address: SocketAddress) -> Bool { listeners[address] != nil }

    func addListener(_ address: SocketAddress, _ driver: SimulatedDriver) {
        listeners[address, default: []].append(driver)
    }

    func removeListener(_ address: SocketAddress, _ driver: SimulatedDriver) {
        listeners[address]?.removeAll { $0 === driver }
        if listeners[address]?.isEmpty == true { listeners[address] = nil }
    }
}
