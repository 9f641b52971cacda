/// Sends equal keys to the same endpoint while it has room, and moves few keys when endpoints come
/// or go: consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2018).
///
/// A key belongs to the first point after it on a ring. An endpoint takes no more than
/// ``loadFactor`` times its share of what is in flight, rounded up; what is beyond goes to the next
/// endpoint on the ring that has room. An endpoint that is ejected keeps its points, so its keys
/// come back with it. One that starts slowly gets its keys one after another, not each by chance.
///
/// A lease without a key gets a random one.
///
/// Complexity: O(log points) a pick, and in expectation O(1/(``loadFactor`` − 1)²) steps past full
/// endpoints; at worst, when nearly all are ejected, O(points). Adding or removing an endpoint is
/// O(points).
public struct ConsistentHashPolicy: BalancingPolicy {
    /// How much more than its share of the load an endpoint may have; greater than 1. 1.25 by
    /// default.
    public let loadFactor: Double
    /// Points on the ring for each unit of weight; 160 by default, for which shares differ by about
    /// 8 %. Lower it where weights are great: a point takes 16 bytes.
    public let pointsPerWeight: Int

    /// The most points of one endpoint: 65,536.
    public static var pointsMax: Int { 65_536 }

    private struct Member: Equatable {
        let nameHash: UInt64
        let weight: Int
    }

    private var ring = HashRing()
    private var members: [Member?] = []

    /// - Precondition: `loadFactor` is greater than 1 and `pointsPerWeight` is positive.
    public init(loadFactor: Double = 1.25, pointsPerWeight: Int = 160) {
        precondition(loadFactor > 1, "a load factor is greater than 1, not \(loadFactor)")
        precondition(
            pointsPerWeight > 0, "a unit of weight has at least 1 point, not \(pointsPerWeight)")
        self.loadFactor = loadFactor
        self.pointsPerWeight = pointsPerWeight
    }

    public mutating func changed(_ candidates: BalancingCandidates) {
        while members.count < candidates.slots.count { members.append(nil) }
        for (slot, candidate) in candidates.slots.enumerated() {
            let now = candidate.map { Member(nameHash: $0.nameHash, weight: $0.weight) }
            guard now != members[slot] else { continue }
            if members[slot] != nil { ring.remove(slot: slot) }
            if let now {
                let (points, overflow) = now.weight.multipliedReportingOverflow(by: pointsPerWeight)
                ring.add(
                    slot: slot, nameHash: now.nameHash,
                    count: overflow ? Self.pointsMax : min(points, Self.pointsMax))
            }
            members[slot] = now
        }
    }

    public mutating func pick(
        _ request: BalancingRequest,
        from candidates: BalancingCandidates,
        using random: inout some RandomNumberGenerator
    ) -> Int? {
        guard !candidates.available.isEmpty else { return nil }
        let hash = request.key?.hash ?? random.next()
        let load = loadFactor * Double(candidates.availableInFlight + 1)
        let loadPerWeight = load / Double(candidates.availableWeight)
        var place = ring.place(of: hash)
        /// The first that could have it but for its bound or its slow start.
        var nearest: Int?
        for _ in 0..<ring.count {
            let slot = ring.slot(at: place)
            place = place + 1 < ring.count ? place + 1 : 0
            let candidate = candidates[slot]
            guard candidate.isAvailable, !request.excludes(slot) else { continue }
            let bound = (loadPerWeight * Double(candidate.weight)).rounded(.up)
            if Double(candidate.inFlight) + 1 <= bound, isRamped(candidate, hash, candidates) {
                return slot
            }
            if nearest == nil { nearest = slot }
        }
        return nearest
    }

    /// Whether an endpoint has come so far in its slow start that it has this key.
    private func isRamped(
        _ candidate: BalancingCandidates.Candidate, _ hash: UInt64,
        _ candidates: BalancingCandidates
    ) -> Bool {
        guard candidate.ramp < candidates.rampMax else { return true }
        let unit = Double(AffinityKey.mixed(hash ^ candidate.nameHash) >> 11) * 0x1p-53
        return unit * candidates.rampMax < candidate.ramp
    }
}

extension BalancingPolicy where Self == ConsistentHashPolicy {
    /// Equal keys to the same endpoint, up to a bound on its load.
    public static var consistentHash: ConsistentHashPolicy { ConsistentHashPolicy() }
}
