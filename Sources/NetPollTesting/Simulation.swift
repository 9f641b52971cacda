import NetPoll

/// What a ``SimulatedNetwork`` drives; apart from it, so that letting go of the network ends it all.
final class Simulation {
    static var turnsMax: Int { 1_000_000 }
    static var lastRoundsMax: Int { 100_000 }

    var faults: Faults
    var descriptorsMax: Int?
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var sends = 0
    private(set) var loops: [EventLoop] = []
    var random: SeededGenerator
    let seed: UInt64

    private(set) var drivers: [SimulatedDriver] = []
    var datagrams = ArrivalQueue<(SimulatedDriver.Datagram, SimulatedDriver.DatagramEnd)>()
    var groups: [SocketAddress: [SimulatedDriver.DatagramEnd]] = [:]
    private var listeners: [SocketAddress: [SimulatedDriver]] = [:]
    private var nextListener = 0
    private var nextPort: UInt16 = 49_152
    private var arrivals = ArrivalQueue<Endpoint>()
    private var nextHandle: Int32 = 3
    /// Accepted by one loop on behalf of another, which has not taken them yet.
    var inTransit: [Int32: Endpoint] = [:]
    private var routes: [SocketAddress: Route] = [:]
    /// How many unread bytes each end of a loop's outgoing connection holds.
    var windowBytes: Int { 64 << 10 }
    private var readyPeers: [SimulatedPeer] = []
    private var actingPeers: [SimulatedPeer] = []
    /// Runs a loop's turn in place of the simulation, where a test looks at each.
    var runTurn: ((EventLoop) -> Void)?
    var partitions = Partitions()
    private var clients: [ObjectIdentifier: Endpoint] = [:]

    init(seed: UInt64 = 0, faults: Faults = Faults()) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        self.faults = faults
    }

    /// Ends the process with a message that says how to come here again, in every build.
    func fail(
        _ message: String, file: StaticString = #fileID, line: UInt = #line
    ) -> Never {
        fatalError(
            "\(message) (simulated network of seed \(seed), at \(now))", file: file, line: line)
    }

    func makeLoop(configuration: EventLoop.Configuration) -> EventLoop {
        let driver = SimulatedDriver(network: self)
        let loop = EventLoop(
            driver: driver, index: loops.count, configuration: configuration, seed: random.next())
        drivers.append(driver)
        loops.append(loop)
        loop.bindToCurrentThread()
        return loop
    }

    func connect(
        to address: SocketAddress, from host: SocketAddress, windowBytes: Int
    ) -> SimulatedPeer? {
        let from = host.port == 0 ? host.with(port: unusedPort()) : host
        guard !isCut(from, address),
            let client = open(from: from, to: address, windowBytes: windowBytes)
        else {
            return nil
        }
        let peer = SimulatedPeer(endpoint: client, network: self)
        client.owner = peer
        clients[ObjectIdentifier(client)] = client
        return peer
    }

    /// Puts a new connection into a listener's backlog and returns the client's end; `nil` where
    /// nothing listens or the backlog is full.
    func open(
        from local: SocketAddress, to address: SocketAddress, windowBytes: Int
    ) -> Endpoint? {
        guard let drivers = listeners[address], !drivers.isEmpty else { return nil }
        let server = Endpoint(network: self, address: local, windowBytes: windowBytes)
        let client = Endpoint(network: self, address: address, windowBytes: windowBytes)
        server.join(client)
        let driver = drivers[nextListener % drivers.count]
        nextListener += 1
        guard driver.enqueue(server, to: address) else {
            server.part()
            return nil
        }
        return client
    }

    func route(to address: SocketAddress) -> Route { routes[address] ?? .open }

    func setRoute(_ route: Route, to address: SocketAddress) { routes[address] = route }

    // MARK: - Running

    func runUntilIdle(turnsMax: Int) {
        for loop in loops {
            loop.bindToCurrentThread()
            // What a test does between turns counts from the present, too.
            loop.readClock()
        }
        var turns = 0
        while step() {
            turns += 1
            if turns > turnsMax { fail("not idle after \(turnsMax) rounds") }
        }
    }

    func run(for duration: Duration) {
        let end = now + duration
        runUntilIdle(turnsMax: Self.turnsMax)
        while let next = nextEvent, next <= end {
            moveClock(to: next)
            runUntilIdle(turnsMax: Self.turnsMax)
        }
        now = max(now, end)
        runUntilIdle(turnsMax: Self.turnsMax)
    }

    func run(within duration: Duration, until condition: () -> Bool) -> Bool {
        let end = now + duration
        runUntilIdle(turnsMax: Self.turnsMax)
        while !condition() {
            if step() {
                runUntilIdle(turnsMax: Self.turnsMax)
                continue
            }
            guard let next = nextEvent, next <= end else { return false }
            moveClock(to: next)
            runUntilIdle(turnsMax: Self.turnsMax)
        }
        return true
    }

    private func moveClock(to next: Instant) {
        now = max(now, next)
        if random.happens(faults.clockJumps) {
            now = now + drawDuration(upTo: faults.clockJumpMax)
        }
    }

    func jumpClock(by duration: Duration) { now = now + duration }

    var openDescriptors: Int {
        drivers.reduce(inTransit.count) { $0 + $1.openDescriptors }
    }

    /// Ends every loop and forgets the rest, so that nothing keeps anything else alive.
    func end() {
        for loop in loops {
            loop.bindToCurrentThread()
            loop.shutDown()
            // No thread goes on with these.
            var rounds = 0
            while loop.hasReadyTasks {
                loop.runReadyAtEnd()
                rounds += 1
                if rounds > Self.lastRoundsMax { fail("a task on loop \(loop.index) does not end") }
            }
        }
        for endpoint in clients.values { endpoint.part() }
        clients = [:]
        loops = []
        drivers = []
        listeners = [:]
        readyPeers = []
        runTurn = nil
        groups = [:]
        partitions = Partitions()
        arrivals = ArrivalQueue()
    }

    private var nextEvent: Instant? {
        var next = arrivals.first
        if let datagram = datagrams.first { next = next.map { min($0, datagram) } ?? datagram }
        for moment in loops.map(\.nextTimer) + drivers.map(\.nextConnect) {
            guard let moment else { continue }
            next = next.map { min($0, moment) } ?? moment
        }
        return next
    }

    private func step() -> Bool {
        var progressed = false
        while let endpoint = arrivals.popDue(now) {
            endpoint.land()
            progressed = true
        }
        if landDatagrams() { progressed = true }
        swap(&actingPeers, &readyPeers)
        let haveActed = !actingPeers.isEmpty
        for index in actingPeers.indices { actingPeers[index].act() }
        actingPeers.removeAll(keepingCapacity: true)
        var order = Array(loops.indices)
        if faults.reordersReadiness { order.shuffle(using: &random) }
        for index in order {
            let loop = loops[index]
            let isDue = loop.nextTimer.map { $0 <= now } ?? false
            guard drivers[index].hasEvents || loop.hasWork || isDue else { continue }
            if let runTurn { runTurn(loop) } else { loop.turn(until: now) }
            progressed = true
        }
        return progressed || haveActed || !readyPeers.isEmpty
    }

    // MARK: - For drivers, endpoints and peers

    func schedule(_ instant: Instant, _ endpoint: Endpoint) {
        arrivals.push(instant, endpoint)
    }

    func drawArrival() -> Instant { now + drawDelay() }

    /// How long something travels.
    func drawDelay() -> Duration {
        guard faults.delayMax > faults.delayMin else { return faults.delayMin }
        return faults.delayMin + drawDuration(upTo: faults.delayMax - faults.delayMin)
    }

    func drawDuration(upTo longest: Duration) -> Duration {
        let nanoseconds = max(0, Int64(longest / .nanoseconds(1)))
        return .nanoseconds(Int64.random(in: 0...nanoseconds, using: &random))
    }

    func forget(_ endpoint: Endpoint) { clients[ObjectIdentifier(endpoint)] = nil }

    func noteSend() { sends += 1 }

    /// Handles are not reused, so a use after close is noticed; and a handle is of one network, so
    /// that sockets may go from loop to loop.
    func takeHandle() -> Int32 {
        defer { nextHandle += 1 }
        return nextHandle
    }

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
