import NetPollTesting
import Testing

@testable import ConnPool

@Suite("Ejection and slow start")
struct BalancerCoreTests {
    private static func world(
        endpoints: Int, share: Double = 0.1, configure: (inout OutlierEjection) -> Void = { _ in }
    ) -> PolicyWorld {
        PolicyWorld(.roundRobin, weights: Array(repeating: 1, count: endpoints)) {
            var ejection = OutlierEjection()
            ejection.ejectedShareMax = share
            configure(&ejection)
            $0.ejection = ejection
        }
    }

    private static func isPicked(_ slot: Int, _ world: PolicyWorld) -> Bool {
        world.counts(world.core.count * 2)[slot] > 0
    }

    // MARK: - Failures in a row

    @Test func `the fifth failure in a row ejects for 30 s`() {
        let world = Self.world(endpoints: 3)
        for _ in 0..<4 { #expect(!world.fail(world.ids[1])) }
        world.core.succeeded(world.ids[1])
        for _ in 0..<4 { #expect(!world.fail(world.ids[1])) }
        #expect(Self.isPicked(1, world))
        #expect(world.fail(world.ids[1]))
        #expect(world.core.ejectedUntil(world.ids[1]) == .seconds(30))
        #expect(!Self.isPicked(1, world))
        world.now = .seconds(30) - .nanoseconds(1)
        #expect(!Self.isPicked(1, world))
        world.now = .seconds(30)
        #expect(Self.isPicked(1, world))
        #expect(world.core.ejections == 1)
    }

    @Test func `ejections soon after another last longer, up to the maximum`() {
        let world = Self.world(endpoints: 3) { $0.ejectionTimeMax = .seconds(100) }
        for seconds in [30, 60, 90, 100, 100] {
            for _ in 0..<5 { world.fail(world.ids[0]) }
            #expect(world.core.ejectedUntil(world.ids[0]) == world.now + .seconds(seconds))
            world.now += .seconds(seconds)
            #expect(Self.isPicked(0, world))
        }
    }

    @Test func `each interval without ejection makes the next one shorter`() {
        let world = Self.world(endpoints: 3)
        for _ in 0..<3 {
            for _ in 0..<5 { world.fail(world.ids[0]) }
            world.now = world.core.ejectedUntil(world.ids[0]) ?? world.now
            _ = world.pick()
        }
        // Three ejections count; two intervals later, one.
        for _ in 0..<2 {
            world.now += .seconds(10)
            _ = world.pick()
        }
        for _ in 0..<5 { world.fail(world.ids[0]) }
        #expect(world.core.ejectedUntil(world.ids[0]) == world.now + .seconds(60))
    }

    @Test(arguments: [
        (1, 0.1, 1), (3, 0.1, 1), (10, 0.1, 1), (19, 0.1, 1), (20, 0.1, 2), (10, 0.5, 5),
        (10, 0, 1), (4, 1, 4),
    ])
    func `no more are ejected than the share allows, but one always may be`(
        endpoints: Int, share: Double, ejected: Int
    ) {
        let world = Self.world(endpoints: endpoints, share: share)
        var count = 0
        for id in world.ids {
            for _ in 0..<6 where world.fail(id) { count += 1 }
        }
        #expect(count == ejected)
    }

    @Test func `when another is back, one that goes on failing is ejected in its place`() {
        let world = Self.world(endpoints: 3)
        for _ in 0..<5 { world.fail(world.ids[0], at: .zero) }
        for _ in 0..<9 { #expect(!world.fail(world.ids[1], at: .seconds(29))) }
        #expect(world.fail(world.ids[1], at: .seconds(30)))
        world.now = .seconds(30)
        #expect(Self.isPicked(0, world) && !Self.isPicked(1, world))
    }

    // MARK: - Success rates

    private static func report(_ slot: Int, _ world: PolicyWorld, failures: Int, of: Int) {
        // Failures are spread, so that none are many in a row.
        for number in 0..<of {
            if number * failures / of != (number + 1) * failures / of {
                world.fail(world.ids[slot])
            } else {
                world.core.succeeded(world.ids[slot])
            }
        }
    }

    /// Envoy's example: with rates of 100, 100, 100, 100 and *r* the mean less 1.9 deviations is
    /// 100 − (100 − r) · (1/5 + 1.9 · 2/5), which is above r.
    @Test(arguments: [(5, 100, true), (4, 100, false), (5, 99, false), (6, 400, true)])
    func `a success rate far below the others' ejects, with enough to compare`(
        endpoints: Int, outcomes: Int, isEjected: Bool
    ) {
        let world = Self.world(endpoints: endpoints)
        for slot in 0..<endpoints {
            Self.report(slot, world, failures: slot == 2 ? outcomes / 3 : 0, of: outcomes)
        }
        world.now = .seconds(10) - .nanoseconds(1)
        _ = world.pick()
        #expect(world.core.ejections == 0, "the interval is not over")
        world.now = .seconds(10)
        _ = world.pick()
        #expect(world.core.ejections == (isEjected ? 1 : 0))
        if isEjected { #expect(world.core.ejectedUntil(world.ids[2]) == .seconds(40)) }
    }

    @Test func `rates that differ as chance makes them eject none`() {
        let world = Self.world(endpoints: 6, share: 1)
        for (slot, failures) in [10, 12, 9, 11, 8, 10].enumerated() {
            Self.report(slot, world, failures: failures, of: 100)
        }
        world.now = .seconds(10)
        _ = world.pick()
        #expect(world.core.ejections == 0)
    }

    @Test func `outcomes of one interval do not count in the next`() {
        let world = Self.world(endpoints: 5)
        for slot in 0..<5 { Self.report(slot, world, failures: slot == 0 ? 12 : 0, of: 60) }
        world.now = .seconds(10)
        _ = world.pick()
        for slot in 0..<5 { Self.report(slot, world, failures: slot == 0 ? 12 : 0, of: 60) }
        world.now = .seconds(20)
        _ = world.pick()
        #expect(world.core.ejections == 0, "60 outcomes an interval are fewer than 100")
    }

    // MARK: - Panic

    @Test func `when all are ejected, all are used`() {
        let world = Self.world(endpoints: 4, share: 1)
        for (index, id) in world.ids.enumerated() {
            for _ in 0..<5 { world.fail(id) }
            // Half are enough to go on with.
            #expect(world.core.isPanicking == (index >= 2))
        }
        #expect(world.counts(8) == [2, 2, 2, 2])
        world.now = .seconds(30)
        #expect(world.counts(8) == [2, 2, 2, 2])
        #expect(!world.core.isPanicking)
    }

    @Test func `without a panic share, only when all are ejected`() {
        let world = PolicyWorld(.roundRobin, weights: [1, 1, 1]) {
            var ejection = OutlierEjection()
            ejection.ejectedShareMax = 1
            $0.ejection = ejection
            $0.panicShare = 0
        }
        for id in world.ids.prefix(2) {
            for _ in 0..<5 { world.fail(id, at: .zero) }
        }
        #expect(world.counts(6) == [0, 0, 6])
        for _ in 0..<5 { world.fail(world.ids[2], at: .zero) }
        #expect(world.core.isPanicking && world.counts(6) == [2, 2, 2])
        world.core.removed(world.ids[0])
        #expect(world.core.isPanicking && world.counts(6) == [0, 3, 3])
    }

    @Test func `news of an endpoint that is gone harms none in its slot`() throws {
        let world = Self.world(endpoints: 3)
        let gone = world.ids[1]
        _ = world.pick()
        let lease = try #require(world.lease())
        #expect(lease == gone)
        world.core.removed(gone)
        let heir = world.add()
        #expect(heir.slot == gone.slot && heir != gone)
        for _ in 0..<9 { #expect(!world.fail(gone)) }
        world.core.released(lease)
        #expect(world.core.candidates[heir.slot].inFlight == 0)
        #expect(Self.isPicked(heir.slot, world))
    }

    // MARK: - Slow start

    @Test(arguments: [
        PolicyKind.random, .roundRobin, .smoothWeightedRoundRobin, .consistentHash,
    ])
    func `a new endpoint's share grows with time`(kind: PolicyKind) {
        let world = PolicyWorld(kind.policy, weights: [1, 1, 1]) {
            $0.slowStart = SlowStart(window: .seconds(10), shareMin: 0.1)
        }
        world.now = .seconds(10)
        _ = world.pick()
        let added = world.add()
        for (second, ramp) in [(0, 0.1), (1, 0.1), (2, 0.2), (5, 0.5), (9, 0.9), (10, 1.0)] {
            world.now = .seconds(10 + second)
            let share = Double(world.counts(20_000)[added.slot]) / 20_000
            // A ring's own unevenness is within the bounds.
            let expected = ramp / (3 + ramp)
            #expect(
                (0.72 * expected...1.28 * expected).contains(share), "\(second) s: \(share)")
        }
    }

    @Test(arguments: [PolicyKind.leastInFlight, .powerOfTwoChoices])
    func `a new endpoint's load counts for more at first`(kind: PolicyKind) {
        let world = PolicyWorld(kind.policy, weights: [1, 1, 1]) {
            $0.slowStart = SlowStart(window: .seconds(10), shareMin: 0.1)
        }
        world.now = .seconds(10)
        let added = world.add()
        var loads: [Int] = []
        for second in [0, 5, 10] {
            world.now = .seconds(10 + second)
            let leases = (0..<100).compactMap { _ in world.lease() }
            loads.append(world.core.candidates[added.slot].inFlight)
            for lease in leases { world.core.released(lease) }
        }
        #expect(loads[0] < 8 && (10...20).contains(loads[1]) && loads[2] >= 22, "\(loads)")
    }

    @Test(arguments: PolicyKind.allCases)
    func `when all start slowly, all are equal`(kind: PolicyKind) {
        let world = PolicyWorld(kind.policy, weights: [1, 1, 1, 1]) { $0.slowStart = SlowStart() }
        let counts = world.counts(10_000)
        #expect(counts.allSatisfy { (1_800...3_200).contains($0) }, "\(counts)")
    }

    @Test func `an endpoint that comes back starts slowly`() {
        let world = PolicyWorld(.roundRobin, weights: [1, 1, 1]) {
            $0.ejection = OutlierEjection()
            $0.slowStart = SlowStart(window: .seconds(10), shareMin: 0.1)
        }
        world.now = .seconds(10)
        for _ in 0..<5 { world.fail(world.ids[0]) }
        world.now = .seconds(40)
        #expect((300...700).contains(world.counts(10_000)[0]))
        world.now = .seconds(50)
        #expect((3_300...3_400).contains(world.counts(10_000)[0]))
    }

    @Test func `limits that make no sense trap`() async {
        await #expect(processExitsWith: .failure) { _ = SlowStart(window: .zero) }
        await #expect(processExitsWith: .failure) { _ = SlowStart(shareMin: 0) }
        await #expect(processExitsWith: .failure) {
            _ = Self.world(endpoints: 1) { $0.failuresInRowMax = 0 }
        }
        await #expect(processExitsWith: .failure) {
            _ = Self.world(endpoints: 1) { $0.ejectionTimeMax = .seconds(1) }
        }
        await #expect(processExitsWith: .failure) { _ = Self.world(endpoints: 1, share: 1.5) }
        await #expect(processExitsWith: .failure) {
            _ = PolicyWorld(.random, weights: []) { $0.panicShare = -1 }
        }
        await #expect(processExitsWith: .failure) {
            var request = BalancingRequest()
            for slot in 0...BalancingRequest.excludedMax { request.exclude(slot) }
        }
    }
}
