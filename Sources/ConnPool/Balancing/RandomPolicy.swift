/// Draws an endpoint by the weights.
///
/// Complexity: O(1) a pick (the alias method: Vose, "A Linear Algorithm for Generating Random
/// Numbers with a Given Distribution", 1991).
public struct RandomPolicy: BalancingPolicy {
    /// A place that is its own endpoint's for the first so many of ``weight`` units, and another's
    /// for the rest.
    private struct Column {
        let slot: Int
        var own: UInt64
        var other: Int
    }

    private var columns: [Column] = []
    /// What every column has: the sum of the weights.
    private var weight: UInt64 = 0

    public init() {}

    public mutating func changed(_ candidates: BalancingCandidates) {
        weight = UInt64(candidates.availableWeight)
        let count = UInt64(candidates.available.count)
        columns.removeAll(keepingCapacity: true)
        var (scarce, rich): ([Int], [Int]) = ([], [])
        for (index, slot) in candidates.available.enumerated() {
            let own = UInt64(candidates[slot].weight) * count
            columns.append(Column(slot: slot, own: own, other: slot))
            if own < weight { scarce.append(index) } else { rich.append(index) }
        }
        // Each scarce column is filled up from a rich one, which may become scarce by it.
        while let poor = scarce.popLast(), let giver = rich.last {
            columns[poor].other = columns[giver].slot
            columns[giver].own -= weight - columns[poor].own
            if columns[giver].own < weight {
                rich.removeLast()
                scarce.append(giver)
            }
        }
    }

    public mutating func pick(
        _ request: BalancingRequest,
        from candidates: BalancingCandidates,
        using random: inout some RandomNumberGenerator
    ) -> Int? {
        guard !columns.isEmpty else { return nil }
        for _ in 0..<BalancingCandidates.drawsMax {
            let column = columns[Int(random.next(below: UInt64(columns.count)))]
            let slot = random.next(below: weight) < column.own ? column.slot : column.other
            if !request.excludes(slot), candidates.admits(slot, using: &random) { return slot }
        }
        let start = Int(random.next(below: UInt64(columns.count)))
        return candidates.firstAllowed(from: start, for: request)
    }
}

extension BalancingPolicy where Self == RandomPolicy {
    /// An endpoint drawn by the weights.
    public static var random: RandomPolicy { RandomPolicy() }
}
