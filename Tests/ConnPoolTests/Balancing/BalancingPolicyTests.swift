import AllocationCounter
import NetPollTesting
import Testing

@testable import ConnPool

@Suite("BalancingPolicy")
struct BalancingPolicyTests {
    // MARK: - What all keep

    @Test(arguments: PolicyKind.allCases)
    func `none is picked where there is none`(kind: PolicyKind) {
        let world = PolicyWorld(kind.policy, weights: [])
        #expect(world.pick() == nil)
        let id = world.add()
        #expect(world.pick() == 0)
        #expect(world.pick(excluding: [0]) == nil)
        world.core.removed(id)
        #expect(world.pick() == nil)
    }

    @Test(arguments: PolicyKind.allCases)
    func `every endpoint but those excluded is found`(kind: PolicyKind) {
        let world = PolicyWorld(kind.policy, weights: Array(repeating: 1, count: 9))
        for left in 0..<9 {
            let excluded = (0..<9).filter { $0 != left }
            for _ in 0..<20 {
                #expect(world.pick(key: AffinityKey(left), excluding: excluded) == left)
            }
        }
    }

    @Test(arguments: PolicyKind.allCases, 0..<20 as Range<UInt64>)
    func `endpoints come and go, and only those here are picked`(kind: PolicyKind, seed: UInt64) {
        let world = PolicyWorld(kind.policy, weights: [1, 2, 3], seed: seed)
        var random = SeededGenerator(seed: seed &+ 1)
        var present = world.ids
        var leases: [BalancerCore.ID] = []
        for _ in 0..<500 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: present.append(world.add(weight: .random(in: 1...5, using: &random)))
            case 1:
                if let index = present.indices.randomElement(using: &random) {
                    world.core.removed(present.remove(at: index))
                }
            case 2, 3, 4:
                if let index = leases.indices.randomElement(using: &random) {
                    world.core.released(leases.remove(at: index))
                }
            default:
                let id = world.lease(key: AffinityKey(random.next()))
                #expect((id == nil) == present.isEmpty, "seed \(seed)")
                if let id {
                    #expect(present.contains(id), "seed \(seed)")
                    leases.append(id)
                }
            }
            let inFlight = world.core.candidates.slots.reduce(0) { $0 + ($1?.inFlight ?? 0) }
            #expect(inFlight == leases.count(where: present.contains), "seed \(seed)")
            #expect(world.core.candidates.availableInFlight == inFlight, "seed \(seed)")
        }
    }

    @Test(arguments: PolicyKind.allCases)
    func `the same seed gives the same picks`(kind: PolicyKind) {
        func picks() -> [Int?] {
            let world = PolicyWorld(kind.policy, weights: [3, 1, 4, 1, 5], seed: 42)
            return (0..<200).map { _ in world.pick() }
        }
        #expect(picks() == picks())
    }

    @Test(.enabled(if: allocation_counter_is_active()), arguments: PolicyKind.allCases)
    func `a pick allocates nothing`(kind: PolicyKind) {
        let world = PolicyWorld(kind.policy, weights: (1...50).map { $0 % 5 + 1 })
        for _ in 0..<1_000 { _ = world.pick() }
        let before = allocation_counter_count()
        var sum = 0
        for number in 0..<10_000 { sum += world.pick(key: AffinityKey(number)) ?? 0 }
        let used = allocation_counter_count() - before
        #expect(sum > 0)
        #expect(used == 0)
    }

    @Test(arguments: [PolicyKind.random, .smoothWeightedRoundRobin, .consistentHash])
    func `shares follow the weights`(kind: PolicyKind) {
        let world = PolicyWorld(kind.policy, weights: [1, 2, 3, 4])
        let counts = world.counts(100_000)
        for (slot, count) in counts.enumerated() {
            let share = Double(count) / Double(10_000 * (slot + 1))
            // The points of a ring are as uneven as chance makes them.
            let allowed = kind == .consistentHash ? 0.75...1.25 : 0.96...1.04
            #expect(allowed.contains(share), "\(counts)")
        }
    }

    // MARK: - Smooth weighted round-robin

    @Test(arguments: [
        ([5, 1, 1], "aabacaa"), ([1, 1, 1], "abc"), ([2, 1], "aba"), ([10, 2, 2], "aabacaa"),
        ([4, 2, 1], "abacaba"), ([1], "a"), ([1, 3], "babb"),
    ])
    func `weights give the sequence of nginx, again and again`(weights: [Int], round: String) {
        let world = PolicyWorld(.smoothWeightedRoundRobin, weights: weights)
        for _ in 0..<4 {
            let picks = (0..<round.count).map { _ in
                world.pick().map { String(Character(UnicodeScalar(97 + UInt8($0)))) } ?? "-"
            }
            #expect(picks.joined() == round)
        }
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `remembered rounds equal those computed`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let weights = (0..<Int.random(in: 1...8, using: &random)).map { _ in
            Int.random(in: 1...40, using: &random)
        }
        let world = PolicyWorld(.smoothWeightedRoundRobin, weights: weights)
        var credits = weights.map { _ in 0 }
        for _ in 0..<3 * weights.reduce(0, +) {
            for index in credits.indices { credits[index] += weights[index] }
            let greatest = credits.max()
            let best = credits.firstIndex { $0 == greatest } ?? 0
            credits[best] -= weights.reduce(0, +)
            #expect(world.pick() == best, "seed \(seed)")
        }
    }

    @Test func `a round longer than is remembered is right all the same`() {
        let heavy = SmoothWeightedRoundRobinPolicy.roundMax
        for weights in [[heavy - 1, 1], [heavy, 1]] {
            let world = PolicyWorld(.smoothWeightedRoundRobin, weights: weights)
            #expect(world.counts(2 * (weights[0] + 1)) == [2 * weights[0], 2])
        }
    }

    // MARK: - Round-robin

    @Test func `turns go on where an endpoint is gone`() {
        let world = PolicyWorld(.roundRobin, weights: [9, 1, 1, 1])
        #expect((0..<6).map { _ in world.pick() } == [0, 1, 2, 3, 0, 1])
        world.core.removed(world.ids[1])
        #expect((0..<4).map { _ in world.pick() } == [2, 3, 0, 2])
        world.add()
        #expect((0..<5).map { _ in world.pick() } == [3, 0, 1, 2, 3])
    }

    // MARK: - Least in flight

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `the least loaded is always taken, by weight`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let weights = (0..<7).map { _ in Int.random(in: 1...4, using: &random) }
        let world = PolicyWorld(.leastInFlight, weights: weights, seed: seed)
        var leases: [BalancerCore.ID] = []
        for _ in 0..<2_000 {
            if leases.count > 60 || (!leases.isEmpty && Bool.random(using: &random)) {
                world.core.released(
                    leases.remove(at: .random(in: leases.indices, using: &random)))
                continue
            }
            let scores = world.core.candidates.slots.map { $0?.score ?? .infinity }
            let id = try #require(world.lease())
            leases.append(id)
            #expect(scores[id.slot] == scores.min(), "seed \(seed)")
        }
    }

    @Test func `idle equals take turns`() {
        let world = PolicyWorld(.leastInFlight, weights: [1, 1, 1, 1, 1])
        #expect((0..<10).map { _ in world.pick() } == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
    }

    // MARK: - Power of two choices

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `two choices keep the highest load near the mean, one choice does not`(seed: UInt64) {
        func highest(_ policy: any BalancingPolicy) -> Int {
            let world = PolicyWorld(policy, weights: Array(repeating: 1, count: 100), seed: seed)
            for _ in 0..<1_000 { _ = world.lease() }
            return world.core.candidates.slots.compactMap { $0?.inFlight }.max() ?? 0
        }
        // The mean is 10. The gap is O(log log n) with two choices, O(√(mean · log n)) with one.
        #expect(highest(.powerOfTwoChoices) <= 13, "seed \(seed)")
        #expect(highest(.random) >= 15, "seed \(seed)")
    }
}
