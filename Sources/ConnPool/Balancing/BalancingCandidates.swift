/// The endpoints a ``BalancingPolicy`` chooses from, each in a slot that is its own until it is
/// removed.
public struct BalancingCandidates: Sendable {
    /// One endpoint, as a policy sees it.
    public struct Candidate: Sendable {
        /// Its share beside the others' weights; at least 1.
        public let weight: Int
        /// A hash of its name, the same in every process.
        public let nameHash: UInt64
        /// Leases that are out or waited for.
        public internal(set) var inFlight = 0
        /// How much of its share it may have: 1, or less while it starts slowly.
        public internal(set) var ramp = 1.0
        /// Whether it may be picked now.
        public internal(set) var isAvailable = true

        init(weight: Int, nameHash: UInt64) {
            self.weight = weight
            self.nameHash = nameHash
        }

        /// The load that one more lease would make, by share.
        var score: Double { Double(inFlight + 1) / (Double(weight) * ramp) }
    }

    /// Every slot; `nil` where no endpoint is.
    public internal(set) var slots: [Candidate?] = []
    /// The slots of the endpoints that may be picked now, ascending.
    public internal(set) var available: [Int] = []
    /// The sum of the weights of those available.
    public internal(set) var availableWeight = 0
    /// The sum of what is in flight at those available.
    public internal(set) var availableInFlight = 0
    /// The greatest ramp of those available; 1 but while all start slowly.
    public internal(set) var rampMax = 1.0

    /// The endpoint in a slot that has one.
    public subscript(slot: Int) -> Candidate {
        guard let candidate = slots[slot] else {
            preconditionFailure("no endpoint in slot \(slot)")
        }
        return candidate
    }

    /// Whether an endpoint that a policy came upon by its own order gets the lease: always, or while
    /// it starts slowly by the chance that its ramp gives beside the others'.
    public func admits(_ slot: Int, using random: inout some RandomNumberGenerator) -> Bool {
        let ramp = self[slot].ramp
        return ramp >= rampMax || random.nextUnit() * rampMax < ramp
    }

    /// Applies to an endpoint and keeps the sums. O(1).
    mutating func addInFlight(_ change: Int, at slot: Int) {
        guard var candidate = slots[slot] else { return }
        candidate.inFlight += change
        assert(candidate.inFlight >= 0, "slot \(slot) has \(candidate.inFlight) in flight")
        slots[slot] = candidate
        if candidate.isAvailable { availableInFlight += change }
    }

    /// Lists those available anew after changes of their flags. O(slots).
    mutating func relist() {
        available.removeAll(keepingCapacity: true)
        (availableWeight, availableInFlight) = (0, 0)
        for (slot, candidate) in slots.enumerated() {
            guard let candidate, candidate.isAvailable else { continue }
            available.append(slot)
            availableWeight += candidate.weight
            availableInFlight += candidate.inFlight
        }
        findRampMax()
    }

    mutating func findRampMax() {
        rampMax = available.reduce(0) { max($0, self[$1].ramp) }
    }
}
