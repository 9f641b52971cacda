import NetPoll
import NetPollTesting
import Seeds
import Testing

@testable import ConnPool

/// One run of a pool core against random callers, servers and time, with a model of what it must
/// not do. The first thing that is wrong is kept.
struct CoreSimulation {
    private struct Lease {
        let id: PooledConnectionID
        let since: Instant
    }

    let seed: UInt64
    private(set) var problem: String?
    private(set) var granted = 0

    private var random: SeededGenerator
    private var core: PoolCore
    private var now = Instant(nanoseconds: 1_000_000_000)
    private let configuration: PoolConfiguration

    private var waiting: [WaiterID] = []
    private var leases: [Lease] = []
    private var dialling: Set<PooledConnectionID> = []
    private var abandoned: Set<PooledConnectionID> = []
    private var open: [PooledConnectionID: Int] = [:]
    private var probing: Set<PooledConnectionID> = []
    private var knownDead: Set<PooledConnectionID> = []
    private var closing: Set<PooledConnectionID> = []
    private var isFinished = false
    private var isClosing = false
    private var isDraining = false

    init(seed: UInt64) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        var configuration = PoolConfiguration()
        configuration.connectionsMax = .random(in: 1...6, using: &random)
        configuration.idleMin = .random(
            in: 0...min(2, configuration.connectionsMax), using: &random)
        configuration.idleOrder = Bool.random(using: &random) ? .lifo : .fifo
        configuration.leasesPerConnection = .random(in: 1...3, using: &random)
        configuration.waitersMax = .random(in: 1...20, using: &random)
        configuration.failsFast = .random(using: &random)
        configuration.dialsMax = .random(in: 1...4, using: &random)
        configuration.lifetimeMax = .seconds(60)
        configuration.idleTimeout = .seconds(20)
        configuration.keepAliveInterval = .seconds(7)
        if Bool.random(using: &random) { configuration.breaker = nil }
        self.configuration = configuration
        core = PoolCore(configuration: configuration, runsKeepAlives: true, seed: seed)
    }

    mutating func run(steps: Int) {
        for _ in 0..<steps where problem == nil { step() }
        settle()
        if problem == nil { end() }
    }

    // MARK: - Steps

    private mutating func step() {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: request()
        case 30..<50: giveBack(discard: false)
        case 50..<55: giveBack(discard: true)
        case 55..<60: cancel()
        case 60..<72: finishDial(succeeds: Int.random(in: 0..<4, using: &random) > 0)
        case 72..<77: breakOne()
        case 77..<80: changeCapacity()
        case 80..<86: finishClose()
        case 86..<90: answerProbe(Bool.random(using: &random))
        case 90..<97: pass(.milliseconds(.random(in: 0...500, using: &random)))
        case 97: pass(.seconds(.random(in: 1...90, using: &random)))
        case 98: feed { $0.outdated(now: $1, into: &$2) }
        default: feed { $0.distrustIdle(now: $1, into: &$2) }
        }
        check()
    }

    private mutating func request() {
        let timeout = Duration.milliseconds(Int.random(in: 0...5_000, using: &random))
        let waits = Int.random(in: 0..<5, using: &random) > 0
        var batch = PoolActions()
        let outcome = core.requested(
            now: now, deadline: now + timeout, waits: waits, into: &batch)
        switch outcome {
        case .granted(let id, let isFresh):
            if !waiting.isEmpty { fail("a request overtook \(waiting.count)") }
            grant(id)
            if isFresh != (core.connections[id.slot].uses == 1) { fail("\(id) is wrongly fresh") }
        case .queued(let waiter):
            if !waits { fail("a request waits that did not want to") }
            waiting.append(waiter)
        case .refused, .empty: break
        }
        perform(batch)
    }

    private mutating func giveBack(discard: Bool) {
        guard !leases.isEmpty else { return }
        let lease = leases.remove(at: .random(in: leases.indices, using: &random))
        feed { core, now, batch in
            if discard {
                core.discarded(lease.id, .discarded, now: now, into: &batch)
            } else {
                core.released(lease.id, since: lease.since, now: now, into: &batch)
            }
        }
        if discard { knownDead.insert(lease.id) }
    }

    private mutating func cancel() {
        guard let waiter = waiting.randomElement(using: &random) else { return }
        feed { $0.cancelled(waiter, now: $1, into: &$2) }
        if waiting.contains(waiter) { fail("\(waiter) was not found") }
    }

    private mutating func finishDial(succeeds: Bool) {
        guard let id = ordered(dialling.union(abandoned)).randomElement(using: &random) else {
            return
        }
        dialling.remove(id)
        abandoned.remove(id)
        guard succeeds else { return feed { $0.dialFailed(id, now: $1, into: &$2) } }
        let capacity = configuration.leasesPerConnection
        open[id] = capacity
        var isTaken = false
        feed { isTaken = $0.established(id, now: $1, into: &$2) }
        if !isTaken { open[id] = nil }
    }

    private mutating func breakOne() {
        guard let id = ordered(Set(open.keys)).randomElement(using: &random) else { return }
        knownDead.insert(id)
        probing.remove(id)
        feed { $0.broke(id, .closedByPeer, now: $1, into: &$2) }
    }

    private mutating func changeCapacity() {
        guard let id = ordered(Set(open.keys)).randomElement(using: &random) else { return }
        let capacity = Int.random(in: 0...3, using: &random)
        open[id] = capacity
        feed { $0.capacityChanged(id, to: capacity, now: $1, into: &$2) }
    }

    private mutating func finishClose() {
        guard let id = ordered(closing).randomElement(using: &random) else { return }
        closing.remove(id)
        feed { $0.closed(id, now: $1, into: &$2) }
    }

    private mutating func answerProbe(_ answers: Bool) {
        guard let id = ordered(probing).randomElement(using: &random) else { return }
        probing.remove(id)
        feed { core, now, batch in
            if answers {
                core.probeSucceeded(id, now: now, into: &batch)
            } else {
                core.probeFailed(id, now: now, into: &batch)
            }
        }
    }

    private mutating func pass(_ duration: Duration) {
        let end = now + duration
        var wakes = 0
        // A jump: the core is woken late, once.
        let jumps = Int.random(in: 0..<4, using: &random) == 0
        while let next = core.nextWake, next <= end, problem == nil {
            now = jumps ? end : max(now, next)
            feed { $0.woken(now: $1, into: &$2) }
            wakes += 1
            if wakes > 10_000 { return fail("the core is woken again and again at \(now)") }
        }
        now = end
    }

    // MARK: - Ends

    /// Everyone behaves: all who wait are served, or their deadlines come.
    private mutating func settle() {
        for _ in 0..<200 where problem == nil {
            while !leases.isEmpty { giveBack(discard: false) }
            for id in ordered(probing) {
                probing.remove(id)
                feed { $0.probeSucceeded(id, now: $1, into: &$2) }
            }
            for _ in 0..<(dialling.count + abandoned.count) { finishDial(succeeds: true) }
            for _ in 0..<closing.count { finishClose() }
            check()
            guard !waiting.isEmpty else { return }
            pass(.milliseconds(500))
        }
        if problem == nil { fail("\(waiting.count) wait for ever: \(core.snapshot)") }
    }

    private mutating func end() {
        for _ in 0..<3 { request() }
        if Bool.random(using: &random) {
            isDraining = true
            feed { $0.drained(now: $1, deadline: $1 + .seconds(3), into: &$2) }
            check()
            if !waiting.isEmpty { fail("\(waiting.count) wait while the pool drains") }
            while !leases.isEmpty, Bool.random(using: &random) { giveBack(discard: false) }
            pass(.seconds(3))
        }
        isClosing = true
        feed { $0.closed(now: $1, into: &$2) }
        if !waiting.isEmpty { fail("\(waiting.count) wait for a closed pool") }
        // Nobody says that anything was closed: the bound on closing ends it.
        pass(configuration.closeTimeout)
        if !isFinished { fail("the pool does not end: \(core.snapshot)") }
        for id in ordered(dialling.union(abandoned)) {
            var isTaken = false
            feed { isTaken = $0.established(id, now: $1, into: &$2) }
            if isTaken { fail("a closed pool took \(id)") }
        }
        while !leases.isEmpty { giveBack(discard: false) }
        guard
            case .refused(.closed) = core.requested(
                now: now, deadline: now + .seconds(1), waits: true, into: &scratch)
        else { return fail("a closed pool gives leases") }
        if core.leases != 0 || core.connections.count != 0 {
            fail("a closed pool has \(core.snapshot)")
        }
    }

    private var scratch = PoolActions()

    // MARK: - The model

    private mutating func feed(_ input: (inout PoolCore, Instant, inout PoolActions) -> Void) {
        var batch = PoolActions()
        input(&core, now, &batch)
        perform(batch)
    }

    private mutating func perform(_ batch: PoolActions) {
        for action in batch.all {
            switch action {
            case .grant(let waiter, let id):
                if waiting.first != waiter { fail("\(waiter) was served out of turn") }
                waiting.removeAll { $0 == waiter }
                grant(id)
            case .fail(let waiter, _):
                if !waiting.contains(waiter) { fail("\(waiter) does not wait") }
                waiting.removeAll { $0 == waiter }
            case .dial(let id):
                dialling.insert(id)
                let demand = waiting.count + configuration.idleMin + core.replacing.count + 1
                if core.connections.dials.count > demand { fail("more dials than \(demand)") }
            case .cancelDial(let id):
                if dialling.remove(id) == nil { fail("\(id) is not dialled") }
                abandoned.insert(id)
            case .probe(let id):
                if leases.contains(where: { $0.id == id }) { fail("\(id) is probed and leased") }
                probing.insert(id)
            case .close(let id, _):
                if open.removeValue(forKey: id) == nil { fail("\(id) is not open") }
                if !isClosing, !isDraining, leases.contains(where: { $0.id == id }) {
                    fail("\(id) is closed under its lease")
                }
                probing.remove(id)
                closing.insert(id)
            case .finish:
                if isFinished || !(isClosing || isDraining) { fail("finished too soon") }
                isFinished = true
            }
        }
    }

    private mutating func grant(_ id: PooledConnectionID) {
        granted += 1
        if knownDead.contains(id) { fail("\(id) was leased although known to be dead") }
        if probing.contains(id) { fail("\(id) was leased while it is probed") }
        let out = leases.reduce(0) { $0 + ($1.id == id ? 1 : 0) }
        guard let capacity = open[id] else { return fail("\(id) was leased and is not open") }
        if out >= capacity { fail("\(id) was leased \(out + 1) times of \(capacity)") }
        leases.append(Lease(id: id, since: now))
    }

    private mutating func check() {
        let snapshot = core.snapshot
        let counted = core.leases
        let known = leases.count { core.connections.slot(of: $0.id) != nil && open[$0.id] != nil }
        if counted != known { fail("\(counted) leases are counted, \(known) are out") }
        if snapshot.waiters != waiting.count { fail("\(snapshot.waiters) are counted waiting") }
        if snapshot.connections > configuration.connectionsMax { fail("too many: \(snapshot)") }
        guard !waiting.isEmpty, !isClosing, !isDraining else { return }
        if core.connections.idle.count + core.connections.shared.count > 0 {
            fail("\(waiting.count) wait while there is room: \(snapshot)")
        }
        let hasProspect =
            !leases.isEmpty || !dialling.isEmpty || !abandoned.isEmpty || !closing.isEmpty
            || !probing.isEmpty || core.dialsCheckedAt != .never
        if !hasProspect { fail("\(waiting.count) wait for nothing: \(snapshot)") }
    }

    private mutating func fail(_ text: String) {
        if problem == nil { problem = text }
    }

    /// A set in an order that is the same in each run.
    private func ordered(_ set: Set<PooledConnectionID>) -> [PooledConnectionID] {
        set.sorted { ($0.slot, $0.generation) < ($1.slot, $1.generation) }
    }
}

@Suite("PoolCore: ten thousand runs", .timeLimit(.minutes(10)))
struct CoreSimulationTests {
    @Test(arguments: seeds(100))
    func `nothing is lost, overtaken, leaked or leased dead`(hundred: UInt64) {
        var granted = 0
        for seed in hundred * 100..<(hundred + 1) * 100 {
            var simulation = CoreSimulation(seed: seed)
            simulation.run(steps: 120)
            granted += simulation.granted
            if let problem = simulation.problem {
                Issue.record("seed \(seed): \(problem)")
                return
            }
        }
        #expect(granted > 1_000)
    }
}
