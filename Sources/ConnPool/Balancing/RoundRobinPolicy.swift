/// Takes the endpoints in turn, whatever their weights.
///
/// Complexity: O(1) a pick.
public struct RoundRobinPolicy: BalancingPolicy {
    /// The next place in the list of those available.
    private var next = 0
    private var last = -1

    public init() {}

    public mutating func changed(_ candidates: BalancingCandidates) {
        // Goes on after the last one, also where it is gone.
        next = candidates.available.firstIndex { $0 > last } ?? 0
    }

    public mutating func pick(
        _ request: BalancingRequest,
        from candidates: BalancingCandidates,
        using random: inout some RandomNumberGenerator
    ) -> Int? {
        guard !candidates.available.isEmpty else { return nil }
        for _ in 0..<BalancingCandidates.drawsMax {
            let slot = takeNext(candidates)
            if !request.excludes(slot), candidates.admits(slot, using: &random) { return slot }
        }
        let slot = candidates.firstAllowed(from: next, for: request)
        if let slot { last = slot }
        return slot
    }

    private mutating func takeNext(_ candidates: BalancingCandidates) -> Int {
        let slot = candidates.available[next]
        next = next + 1 < candidates.available.count ? next + 1 : 0
        last = slot
        return slot
    }
}

extension BalancingPolicy where Self == RoundRobinPolicy {
    /// The endpoints in turn, whatever their weights.
    public static var roundRobin: RoundRobinPolicy { RoundRobinPolicy() }
}
