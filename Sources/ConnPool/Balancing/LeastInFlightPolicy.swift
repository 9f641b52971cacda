/// Takes the endpoint with the fewest leases in flight for its weight; of equals, the one that was
/// picked least recently.
///
/// A tournament over the slots: each place of the tree holds the better of the two below it.
///
/// Complexity: O(log endpoints) a pick and a change of load; O(endpoints) where a request excludes
/// the best.
public struct LeastInFlightPolicy: BalancingPolicy {
    private static var none: Int32 { -1 }

    /// The winners: the root at 1, the children of *i* at 2·*i* and 2·*i* + 1, the slots last.
    private var winners: [Int32] = []
    private var leaves = 0
    /// When each slot was picked last, in picks.
    private var picked: [UInt64] = []
    private var picks: UInt64 = 0

    public init() {}

    public mutating func changed(_ candidates: BalancingCandidates) {
        let count = candidates.slots.count
        while picked.count < count { picked.append(0) }
        leaves = 1
        while leaves < count { leaves *= 2 }
        winners.removeAll(keepingCapacity: true)
        winners.append(contentsOf: repeatElement(Self.none, count: 2 * leaves))
        for slot in candidates.available { winners[leaves + slot] = Int32(slot) }
        for place in stride(from: leaves - 1, to: 0, by: -1) { decide(place, candidates) }
    }

    public mutating func loadChanged(of slot: Int, in candidates: BalancingCandidates) {
        var place = (leaves + slot) / 2
        while place > 0 {
            decide(place, candidates)
            place /= 2
        }
    }

    public mutating func pick(
        _ request: BalancingRequest,
        from candidates: BalancingCandidates,
        using random: inout some RandomNumberGenerator
    ) -> Int? {
        guard winners.count > 1, winners[1] != Self.none else { return nil }
        var best = Int(winners[1])
        if request.excludes(best) {
            guard let other = bestAllowed(request, candidates) else { return nil }
            best = other
        }
        picks += 1
        picked[best] = picks
        // What is in flight there changes next, which finds the new winners.
        return best
    }

    private func bestAllowed(
        _ request: BalancingRequest, _ candidates: BalancingCandidates
    ) -> Int? {
        var best = Self.none
        for slot in candidates.available where !request.excludes(slot) {
            best = better(best, Int32(slot), candidates)
        }
        return best == Self.none ? nil : Int(best)
    }

    private mutating func decide(_ place: Int, _ candidates: BalancingCandidates) {
        winners[place] = better(winners[2 * place], winners[2 * place + 1], candidates)
    }

    private func better(_ left: Int32, _ right: Int32, _ candidates: BalancingCandidates) -> Int32 {
        if right == Self.none { return left }
        if left == Self.none { return right }
        let (leftScore, rightScore) = (candidates[Int(left)].score, candidates[Int(right)].score)
        if leftScore != rightScore { return leftScore < rightScore ? left : right }
        return picked[Int(left)] <= picked[Int(right)] ? left : right
    }
}

extension BalancingPolicy where Self == LeastInFlightPolicy {
    /// The endpoint with the fewest leases in flight for its weight.
    public static var leastInFlight: LeastInFlightPolicy { LeastInFlightPolicy() }
}
