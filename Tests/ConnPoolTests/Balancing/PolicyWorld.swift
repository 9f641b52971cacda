import NetPollTesting

@testable import ConnPool

/// Endpoints named a, b, c … behind one policy, in the order of their slots.
final class PolicyWorld {
    var core: BalancerCore
    var random: SeededGenerator
    var now = Duration.zero
    var ids: [BalancerCore.ID] = []

    init(
        _ policy: any BalancingPolicy, weights: [Int], seed: UInt64 = 1,
        configure: (inout BalancingConfiguration) -> Void = { _ in }
    ) {
        var configuration = BalancingConfiguration()
        configuration.policy = policy
        configuration.ejection = nil
        configure(&configuration)
        core = BalancerCore(configuration: configuration, at: .zero)
        random = SeededGenerator(seed: seed)
        for weight in weights { add(weight: weight) }
    }

    @discardableResult
    func add(weight: Int = 1) -> BalancerCore.ID {
        let name = AffinityKey("endpoint \(ids.count)").hash
        ids.append(core.added(weight: weight, nameHash: name, at: now))
        return ids[ids.count - 1]
    }

    /// Picks, and leaves the lease in flight.
    func lease(
        key: AffinityKey? = nil, excluding excluded: [Int] = []
    ) -> BalancerCore.ID? {
        var request = BalancingRequest(key: key)
        for slot in excluded { request.exclude(slot) }
        return core.wanted(request, at: now, using: &random)
    }

    /// Picks and returns at once; the slot.
    func pick(key: AffinityKey? = nil, excluding excluded: [Int] = []) -> Int? {
        guard let id = lease(key: key, excluding: excluded) else { return nil }
        core.released(id)
        return id.slot
    }

    /// An endpoint failed; whether it is ejected for that.
    @discardableResult
    func fail(_ id: BalancerCore.ID, at moment: Duration? = nil) -> Bool {
        core.failed(id, at: moment ?? now)
    }

    /// How often each slot is picked.
    func counts(_ picks: Int) -> [Int] {
        var counts = core.candidates.slots.map { _ in 0 }
        for _ in 0..<picks {
            if let slot = pick() { counts[slot] += 1 }
        }
        return counts
    }
}

/// The policies that know nothing of keys, by name.
enum PolicyKind: String, CaseIterable {
    case random, roundRobin, smoothWeightedRoundRobin, consistentHash, leastInFlight
    case powerOfTwoChoices

    var policy: any BalancingPolicy {
        switch self {
        case .random: .random
        case .roundRobin: .roundRobin
        case .smoothWeightedRoundRobin: .smoothWeightedRoundRobin
        case .consistentHash: .consistentHash
        case .leastInFlight: .leastInFlight
        case .powerOfTwoChoices: .powerOfTwoChoices
        }
    }
}
