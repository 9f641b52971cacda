public import NetPoll

/// A network in memory with a clock that moves only when it is told to.
///
/// Loops made here run in the test's own thread, turn by turn; peers are scripted. Everything that
/// happens follows from the seed, so a failing run can be repeated; a trap tells it. A week of
/// heartbeats takes as long as its events, and no test sleeps. When the network is let go of, its
/// loops are shut down.
///
/// Not `Sendable`: used by one test, in one thread.
public final class SimulatedNetwork {
    private let simulation: Simulation

    /// - Parameters:
    ///   - seed: Decides all that is drawn.
    ///   - faults: What goes wrong; by default nothing.
    public init(seed: UInt64 = 0, faults: Faults = Faults()) {
        simulation = Simulation(seed: seed, faults: faults)
    }

    deinit { simulation.end() }

    /// What goes wrong; may be changed while the simulation runs.
    public var faults: Faults {
        get { simulation.faults }
        set { simulation.faults = newValue }
    }

    /// The most sockets each loop may have open before accepts fail with EMFILE; `nil`: no limit.
    public var descriptorsMax: Int? {
        get { simulation.descriptorsMax }
        set { simulation.descriptorsMax = newValue }
    }

    /// The present.
    public var now: Instant { simulation.now }

    /// Sends that loops offered so far.
    public var sends: Int { simulation.sends }

    /// How often the loops were woken by what was posted to them: once for each burst.
    package var wakes: Int { simulation.drivers.reduce(0) { $0 + $1.wakes } }

    /// Sockets and listeners that loops hold open: 0 when everything was closed.
    public var openDescriptors: Int { simulation.openDescriptors }

    /// Runs every loop's turn in place of the network, for a test that looks at each; it has to call
    /// `turn(until:)` with ``now``.
    package var runTurn: ((EventLoop) -> Void)? {
        get { simulation.runTurn }
        set { simulation.runTurn = newValue }
    }

    /// Makes a loop on this network.
    public func makeLoop(configuration: EventLoop.Configuration = .init()) -> EventLoop {
        simulation.makeLoop(configuration: configuration)
    }

    /// Makes a group of loops on this network, which must have none yet.
    public func makeGroup(
        loops count: Int = 1, configuration: EventLoop.Configuration = .init()
    ) -> EventLoopGroup {
        if !simulation.loops.isEmpty {
            simulation.fail("the network has \(simulation.loops.count) loops already")
        }
        return EventLoopGroup(
            loops: (0..<count).map { _ in makeLoop(configuration: configuration) })
    }

    /// Connects a scripted peer; the listeners of a shared port take turns.
    ///
    /// - Parameters:
    ///   - address: Where a loop listens.
    ///   - host: Where the peer is; with port 0 it gets one. `nil`: 127.0.0.1.
    ///   - windowBytes: How many unread bytes each side holds before its partner is stopped.
    /// - Returns: The peer, or `nil` where nothing listens at `address`, the backlog is full, or a
    ///   partition lies between them.
    public func connect(
        to address: SocketAddress, from host: SocketAddress? = nil, windowBytes: Int = 64 << 10
    ) -> SimulatedPeer? {
        simulation.connect(
            to: address, from: host ?? .v4(0x0100_007f, port: 0), windowBytes: windowBytes)
    }

    /// Cuts two hosts off from each other, until ``heal()``. What is on its way between them waits,
    /// as TCP sends it again; datagrams are lost; attempts to connect get no answer. Ports do not
    /// matter, and a host always hears itself.
    public func partition(_ host: SocketAddress, from other: SocketAddress) {
        guard let pair = HostPair(host, other) else {
            simulation.fail("a partition between \(host) and \(other), which are one host")
        }
        simulation.partitions.cut(pair, until: Partitions.never)
    }

    /// Cuts a host off from all others, until ``heal()``; see ``partition(_:from:)``.
    public func isolate(_ host: SocketAddress) { simulation.partitions.isolate(host) }

    /// Ends all partitions, those that ``Faults/partitions`` made included; what waited arrives.
    public func heal() { simulation.heal() }

    /// Moves the clock without running anything meanwhile, as when the process was stopped or the
    /// machine slept: what was due then comes with the next run, late and all at once.
    public func jumpClock(by duration: Duration) {
        if duration < .zero { simulation.fail("the clock jumps back by \(duration)") }
        simulation.jumpClock(by: duration)
    }

    /// Decides what becomes of loops' attempts to connect to `address`, from now on and of those on
    /// their way. Scripted peers are not affected.
    public func setRoute(_ route: Route, to address: SocketAddress) {
        simulation.setRoute(route, to: address)
    }

    /// Runs loops and peers until none has anything to do at the present moment.
    ///
    /// - Parameter turnsMax: Traps beyond it: something spins.
    public func runUntilIdle(turnsMax: Int = 1_000_000) {
        simulation.runUntilIdle(turnsMax: turnsMax)
    }

    /// Runs until `duration` has passed on the simulated clock.
    public func run(for duration: Duration) {
        simulation.run(for: duration)
    }

    /// Runs until `condition` holds, moving the clock only when nothing else is to be done.
    ///
    /// The condition is asked again after every burst of work, and may itself make some.
    ///
    /// - Returns: Whether it came to hold within `duration`.
    public func run(within duration: Duration, until condition: () -> Bool) -> Bool {
        simulation.run(within: duration, until: condition)
    }
}
