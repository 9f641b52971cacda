/// Takes the endpoints in turn by their weights, the turns of a heavy one spread over the round:
/// nginx's smooth weighted round-robin. Weights 5, 1, 1 give a a b a c a a.
///
/// Each pick adds every endpoint's weight to its credit, takes the endpoint of most credit (the
/// first of equals), and takes the sum of the weights from that one's credit (nginx,
/// `ngx_http_upstream_get_peer`). A round starts anew when endpoints change.
///
/// Complexity: O(1) a pick once a round of the sum of the weights (by their greatest common divisor)
/// was seen, as the next rounds equal it; in the first, and where the round is longer than
/// ``roundMax``, O(endpoints).
public struct SmoothWeightedRoundRobinPolicy: BalancingPolicy {
    private struct Turn {
        let slot: Int
        let weight: Int
        var credit = 0
    }

    /// The longest round that is remembered: 16,384 picks.
    public static var roundMax: Int { 16_384 }

    private var turns: [Turn] = []
    private var weight = 0
    /// The picks of the round so far, or all of it.
    private var round: [Int32] = []
    private var roundLength = 0
    private var next = 0

    public init() {}

    public mutating func changed(_ candidates: BalancingCandidates) {
        turns.removeAll(keepingCapacity: true)
        for slot in candidates.available {
            turns.append(Turn(slot: slot, weight: candidates[slot].weight))
        }
        weight = candidates.availableWeight
        let divisor = turns.reduce(0) { Self.greatestCommonDivisor($0, $1.weight) }
        roundLength = divisor == 0 ? 0 : weight / divisor
        round.removeAll(keepingCapacity: true)
        if roundLength <= Self.roundMax { round.reserveCapacity(roundLength) }
        next = 0
    }

    public mutating func pick(
        _ request: BalancingRequest,
        from candidates: BalancingCandidates,
        using random: inout some RandomNumberGenerator
    ) -> Int? {
        guard !turns.isEmpty else { return nil }
        for _ in 0..<BalancingCandidates.drawsMax {
            let slot = takeNext()
            if !request.excludes(slot), candidates.admits(slot, using: &random) { return slot }
        }
        return candidates.firstAllowed(from: 0, for: request)
    }

    private mutating func takeNext() -> Int {
        if round.count == roundLength {
            let slot = Int(round[next])
            next = next + 1 < roundLength ? next + 1 : 0
            return slot
        }
        var best = 0
        for index in turns.indices {
            turns[index].credit += turns[index].weight
            if turns[index].credit > turns[best].credit { best = index }
        }
        turns[best].credit -= weight
        let slot = turns[best].slot
        if roundLength <= Self.roundMax { round.append(Int32(slot)) }
        return slot
    }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}

extension BalancingPolicy where Self == SmoothWeightedRoundRobinPolicy {
    /// The endpoints in turn by their weights, as nginx does it.
    public static var smoothWeightedRoundRobin: SmoothWeightedRoundRobinPolicy {
        SmoothWeightedRoundRobinPolicy()
    }
}
