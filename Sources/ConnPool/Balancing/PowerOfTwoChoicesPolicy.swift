/// Draws two endpoints and takes the one with fewer leases in flight for its weight.
///
/// Nearly as even as looking at all, and without the herd that forms where many pools take the one
/// that looks best (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
///
/// Complexity: O(1) a pick.
public struct PowerOfTwoChoicesPolicy: BalancingPolicy {
    public init() {}

    public mutating func changed(_ candidates: BalancingCandidates) {}

    public mutating func pick(
        _ request: BalancingRequest,
        from candidates: BalancingCandidates,
        using random: inout some RandomNumberGenerator
    ) -> Int? {
        let count = candidates.available.count
        guard count > 1 else { return candidates.firstAllowed(from: 0, for: request) }
        let first = Int(random.next(below: UInt64(count)))
        var second = Int(random.next(below: UInt64(count - 1)))
        if second >= first { second += 1 }
        let (left, right) = (candidates.available[first], candidates.available[second])
        switch (request.excludes(left), request.excludes(right)) {
        case (false, false):
            return candidates[right].score < candidates[left].score ? right : left
        case (false, true): return left
        case (true, false): return right
        case (true, true): return candidates.firstAllowed(from: first, for: request)
        }
    }
}

extension BalancingPolicy where Self == PowerOfTwoChoicesPolicy {
    /// The less loaded of two endpoints drawn at random.
    public static var powerOfTwoChoices: PowerOfTwoChoicesPolicy { PowerOfTwoChoicesPolicy() }
}
