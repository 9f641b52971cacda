/// Decides which endpoint each lease goes to: a ``BalancingPolicy`` over those that are not ejected.
///
/// Reads no clock and owns no random source. Time only advances with the calls that take it, so
/// that what is due happens before the next decision, and no timer is needed.
///
/// Complexity: a pick costs what the policy's does; a change of the endpoints O(endpoints).
struct BalancerCore: Sendable {
    /// An endpoint's slot, and which of the slot's endpoints it is.
    struct ID: Hashable, Sendable {
        let slot: Int
        let generation: UInt32
    }

    private var policy: any BalancingPolicy
    private let slowStart: SlowStart?
    private let panicShare: Double
    private var detector: OutlierDetector?
    private(set) var candidates = BalancingCandidates()
    private var generations: [UInt32] = []
    private var vacant: [Int] = []
    /// Since when each slot's endpoint starts slowly.
    private var starts: [Duration?] = []
    private var nextEvent: Duration?

    /// How many endpoints there are.
    private(set) var count = 0
    /// Whether ejections are disregarded, as too few endpoints would be left.
    private(set) var isPanicking = false

    init(configuration: BalancingConfiguration, at now: Duration) {
        precondition(
            (0...1).contains(configuration.panicShare),
            "a share is 0 to 1, not \(configuration.panicShare)")
        policy = configuration.policy
        slowStart = configuration.slowStart
        panicShare = configuration.panicShare
        detector = configuration.ejection.map { OutlierDetector(configuration: $0, at: now) }
        nextEvent = detector?.nextEvent
    }

    /// Ejections so far.
    var ejections: Int { detector?.ejections ?? 0 }

    /// How long an endpoint is ejected yet, if it is.
    func ejectedUntil(_ id: ID) -> Duration? {
        contains(id) ? detector?.ejectedUntil(id.slot) : nil
    }

    func contains(_ id: ID) -> Bool {
        candidates.slots[id.slot] != nil && generations[id.slot] == id.generation
    }

    /// An endpoint came.
    mutating func added(weight: Int, nameHash: UInt64, at now: Duration) -> ID {
        advance(to: now)
        let slot = vacant.popLast() ?? candidates.slots.count
        if slot == candidates.slots.count {
            candidates.slots.append(nil)
            generations.append(0)
            starts.append(nil)
        }
        candidates.slots[slot] = .init(weight: weight, nameHash: nameHash)
        detector?.added(slot)
        count += 1
        start(slot, at: now)
        changed()
        return ID(slot: slot, generation: generations[slot])
    }

    /// An endpoint goes. Its slot may soon be another's; what is told of its leases is ignored.
    mutating func removed(_ id: ID) {
        guard contains(id) else { return }
        detector?.removed(id.slot)
        candidates.slots[id.slot] = nil
        starts[id.slot] = nil
        generations[id.slot] &+= 1
        vacant.append(id.slot)
        count -= 1
        changed()
    }

    /// A lease is wanted: it is in flight at the endpoint that is returned until it is
    /// ``released(_:)``. `nil` where no endpoint is left that the request does not exclude.
    mutating func wanted(
        _ request: BalancingRequest, at now: Duration,
        using random: inout some RandomNumberGenerator
    ) -> ID? {
        advance(to: now)
        guard let slot = policy.pick(request, from: candidates, using: &random) else { return nil }
        candidates.addInFlight(1, at: slot)
        policy.loadChanged(of: slot, in: candidates)
        return ID(slot: slot, generation: generations[slot])
    }

    /// A lease is waited for at an endpoint that was not picked.
    mutating func waited(_ id: ID) {
        guard contains(id) else { return }
        candidates.addInFlight(1, at: id.slot)
        policy.loadChanged(of: id.slot, in: candidates)
    }

    /// A lease ended, or the wait for it.
    mutating func released(_ id: ID) {
        guard contains(id) else { return }
        candidates.addInFlight(-1, at: id.slot)
        policy.loadChanged(of: id.slot, in: candidates)
    }

    /// An endpoint did what was asked of it, so many times.
    mutating func succeeded(_ id: ID, times: Int = 1) {
        guard contains(id) else { return }
        detector?.succeeded(id.slot, times: times)
    }

    /// An endpoint failed.
    ///
    /// - Returns: Whether it is ejected for that.
    @discardableResult
    mutating func failed(_ id: ID, at now: Duration) -> Bool {
        advance(to: now)
        guard contains(id), detector?.failed(id.slot, at: now) == true else { return false }
        changed()
        return true
    }

    /// Does what is due: ends ejections, compares success rates, raises ramps.
    mutating func advance(to now: Duration) {
        guard let nextEvent, now >= nextEvent else { return }
        if let (back, ejectedAny) = detector?.advanced(to: now) {
            for slot in back { start(slot, at: now) }
            if !back.isEmpty || ejectedAny { changed() }
        }
        raiseRamps(to: now)
        scheduleNext(at: now)
    }

    private mutating func start(_ slot: Int, at now: Duration) {
        guard let slowStart else { return }
        starts[slot] = now
        candidates.slots[slot]?.ramp = slowStart.shareMin
        nextEvent = min(nextEvent ?? now + slowStart.step, now + slowStart.step)
    }

    private mutating func raiseRamps(to now: Duration) {
        guard let slowStart else { return }
        for slot in starts.indices {
            guard let start = starts[slot] else { continue }
            let ramp = slowStart.ramp(after: now - start)
            candidates.slots[slot]?.ramp = ramp
            if ramp >= 1 { starts[slot] = nil }
        }
        candidates.findRampMax()
        for slot in candidates.available { policy.loadChanged(of: slot, in: candidates) }
    }

    private mutating func scheduleNext(at now: Duration) {
        nextEvent = detector?.nextEvent
        guard let slowStart, starts.contains(where: { $0 != nil }) else { return }
        nextEvent = min(nextEvent ?? now + slowStart.step, now + slowStart.step)
    }

    /// Finds out anew who may be picked.
    private mutating func changed() {
        let left = count - (detector?.ejectedCount ?? 0)
        isPanicking = count > 0 && (left == 0 || Double(left) < panicShare * Double(count))
        for slot in candidates.slots.indices {
            candidates.slots[slot]?.isAvailable =
                isPanicking || detector?.isEjected(slot) != true
        }
        candidates.relist()
        policy.changed(candidates)
        if let due = detector?.nextEvent { nextEvent = min(nextEvent ?? due, due) }
    }
}
