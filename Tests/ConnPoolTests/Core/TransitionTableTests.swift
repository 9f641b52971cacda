import NetPoll
import Testing

@testable import ConnPool

/// Every input against every state of a connection.
@Suite("PoolCore: the table of transitions")
struct TransitionTableTests {
    enum State: String, CaseIterable, Sendable {
        case dialling, abandoned, idle, leased
        /// Leased, and closed when it comes back.
        case retired
        case probing, closing, gone
    }

    enum Input: String, CaseIterable, Sendable {
        case established, dialFailed, broke, received, released, discarded, answered, unanswered
        case closed, capacity0, outdated, distrusted, drained, shut, timePassed
    }

    /// What follows, by state: dialling, abandoned, idle, leased, retired, probing, closing, gone.
    /// `=`: it stays; `!`: a mistake of the driver's, which traps.
    private static let table: [Input: String] = [
        .established: "leased closing ! ! ! ! ! =",
        .dialFailed: "gone gone ! ! ! ! ! =",
        .broke: "= = closing retired = closing = =",
        .received: "= = closing = = = = =",
        .released: "= = ! idle closing = = =",
        .discarded: "= = ! closing closing = = =",
        .answered: "= = = = = idle = =",
        .unanswered: "= = = = = closing = =",
        .closed: "= = = = = = gone =",
        .capacity0: "= = closing retired = = = =",
        .outdated: "= = closing = = = = =",
        .distrusted: "= = closing = = = = =",
        .drained: "gone gone closing retired = closing = =",
        .shut: "gone gone closing closing closing closing = =",
        .timePassed: "gone gone = = = closing gone =",
    ]

    @Test(arguments: Input.allCases)
    func `each input leads from each state where the table says`(input: Input) throws {
        let row = try #require(Self.table[input]).split(separator: " ").map(String.init)
        try #require(row.count == State.allCases.count)
        for (state, expected) in zip(State.allCases, row) where expected != "!" {
            let (begun, id) = try Self.world(in: state)
            var world = begun
            try #require(Self.state(of: id, in: world) == state)
            Self.feed(input, id, &world)
            let next = Self.state(of: id, in: world).rawValue
            #expect(next == (expected == "=" ? state.rawValue : expected), "\(state)")
        }
    }

    @Test func `a dial that ends twice traps`() async {
        await #expect(processExitsWith: .failure) {
            let (begun, id) = try TransitionTableTests.world(in: .idle)
            var world = begun
            TransitionTableTests.feed(.established, id, &world)
        }
        await #expect(processExitsWith: .failure) {
            let (begun, id) = try TransitionTableTests.world(in: .leased)
            var world = begun
            TransitionTableTests.feed(.dialFailed, id, &world)
        }
    }

    // MARK: - States

    private static func world(in state: State) throws -> (CoreWorld, PooledConnectionID) {
        var world = CoreWorld(runsKeepAlives: true) {
            $0.idleTimeout = nil
            $0.keepAliveInterval = .seconds(20)
            $0.keepAliveTimeout = .seconds(5)
            $0.dialTimeout = .seconds(5)
            $0.closeTimeout = .seconds(5)
        }
        let id: PooledConnectionID
        switch state {
        case .dialling:
            _ = world.request()
            let dials = world.takeDials()
            id = try #require(dials.first)
        case .abandoned:
            let requests = [world.request(), world.request()]
            let dials = world.takeDials()
            id = try #require(dials.last)
            for case .queued(let waiter) in requests {
                world.feed { $0.cancelled(waiter, now: $1, into: &$2) }
            }
        case .idle: id = try world.fill(1)[0]
        case .leased:
            _ = try world.fill(1)
            id = try world.lease()
        case .retired:
            _ = try world.fill(1)
            id = try world.lease()
            feed(.capacity0, id, &world)
        case .probing:
            id = try world.fill(1)[0]
            while world.core.snapshot.probing == 0 { world.pass(.seconds(1)) }
        case .closing, .gone:
            id = try world.fill(1)[0]
            feed(.distrusted, id, &world)
            if state == .gone { feed(.closed, id, &world) }
        }
        return (world, id)
    }

    private static func state(of id: PooledConnectionID, in world: CoreWorld) -> State {
        guard let slot = world.core.connections.slot(of: id) else { return .gone }
        let record = world.core.connections[slot]
        switch record.phase {
        case .unused: return .gone
        case .dialling: return .dialling
        case .abandoned: return .abandoned
        case .ready where record.leased == 0: return .idle
        case .ready: return record.retirement == nil ? .leased : .retired
        case .probing: return .probing
        case .closing: return .closing
        }
    }

    private static func feed(_ input: Input, _ id: PooledConnectionID, _ world: inout CoreWorld) {
        switch input {
        case .established: _ = world.feed { $0.established(id, now: $1, into: &$2) }
        case .dialFailed: world.fail(id)
        case .broke: world.feed { $0.broke(id, .closedByPeer, now: $1, into: &$2) }
        case .received: world.feed { $0.receivedUnasked(id, now: $1, into: &$2) }
        case .released: world.release(id)
        case .discarded: world.discard(id)
        case .answered: world.feed { $0.probeSucceeded(id, now: $1, into: &$2) }
        case .unanswered: world.feed { $0.probeFailed(id, now: $1, into: &$2) }
        case .closed: world.closed(id)
        case .capacity0: world.setCapacity(id, 0)
        case .outdated: world.feed { $0.outdated(now: $1, into: &$2) }
        case .distrusted: world.feed { $0.distrustIdle(now: $1, into: &$2) }
        case .drained:
            world.feed { $0.drained(now: $1, deadline: $1 + .seconds(60), into: &$2) }
        case .shut: world.feed { $0.closed(now: $1, into: &$2) }
        case .timePassed: world.pass(.seconds(5))
        }
    }
}
