/// Decides which endpoints are ejected, and for how long.
///
///     in ──failures in a row, or its success rate──▶ ejected ──its time is over──▶ in
///
/// Reads no clock: time is a `Duration` since an arbitrary origin.
struct OutlierDetector: Sendable {
    private struct Health {
        var failuresInRow = 0
        var successes = 0
        var failures = 0
        var ejectedUntil: Duration?
        /// How many ejections count for the length of the next; falls by one in each interval
        /// without one.
        var ejections = 0

        var outcomes: Int { successes + failures }
        var rate: Double { Double(successes) / Double(outcomes) }
    }

    private let configuration: OutlierEjection
    private var healths: [Health?] = []
    private var nextSweep: Duration
    /// How many endpoints there are.
    private var count = 0
    /// How many of them are ejected now.
    private(set) var ejectedCount = 0
    /// Ejections so far.
    private(set) var ejections = 0

    init(configuration: OutlierEjection, at now: Duration) {
        configuration.validate()
        self.configuration = configuration
        nextSweep = now + configuration.interval
    }

    /// When ``advanced(to:)`` has something to do.
    var nextEvent: Duration {
        healths.reduce(nextSweep) { min($0, $1?.ejectedUntil ?? $0) }
    }

    func isEjected(_ slot: Int) -> Bool { healths[slot]?.ejectedUntil != nil }

    func ejectedUntil(_ slot: Int) -> Duration? { healths[slot]?.ejectedUntil }

    mutating func added(_ slot: Int) {
        while healths.count <= slot { healths.append(nil) }
        assert(healths[slot] == nil, "slot \(slot) has an endpoint already")
        healths[slot] = Health()
        count += 1
    }

    mutating func removed(_ slot: Int) {
        if isEjected(slot) { ejectedCount -= 1 }
        healths[slot] = nil
        count -= 1
    }

    mutating func succeeded(_ slot: Int, times: Int = 1) {
        healths[slot]?.successes += times
        healths[slot]?.failuresInRow = 0
    }

    /// - Returns: Whether the endpoint is ejected by this failure.
    mutating func failed(_ slot: Int, at now: Duration) -> Bool {
        guard var health = healths[slot] else { return false }
        health.failures += 1
        health.failuresInRow += 1
        healths[slot] = health
        guard health.failuresInRow >= configuration.failuresInRowMax else { return false }
        return eject(slot, at: now)
    }

    /// Ends ejections that are over, and compares success rates when it is time.
    ///
    /// - Returns: The endpoints that are back, and whether others were ejected.
    mutating func advanced(to now: Duration) -> (back: [Int], ejectedAny: Bool) {
        var back: [Int] = []
        for slot in healths.indices {
            guard let end = healths[slot]?.ejectedUntil, end <= now else { continue }
            healths[slot]?.ejectedUntil = nil
            healths[slot]?.failuresInRow = 0
            ejectedCount -= 1
            back.append(slot)
        }
        guard now >= nextSweep else { return (back, false) }
        nextSweep = now + configuration.interval
        let outliers = self.outliers
        for slot in healths.indices {
            healths[slot]?.successes = 0
            healths[slot]?.failures = 0
            if let health = healths[slot], health.ejectedUntil == nil, !back.contains(slot) {
                healths[slot]?.ejections = max(0, health.ejections - 1)
            }
        }
        var ejectedAny = false
        for slot in outliers where eject(slot, at: now) { ejectedAny = true }
        return (back, ejectedAny)
    }

    /// Those whose success rate is too far below the others', the worst first.
    private var outliers: [Int] {
        let asked = healths.indices.filter { slot in
            guard let health = healths[slot], health.ejectedUntil == nil else { return false }
            return health.outcomes >= max(1, configuration.rateOutcomesMin)
        }
        guard asked.count >= max(2, configuration.rateEndpointsMin) else { return [] }
        let rates = asked.map { slot in healths[slot]?.rate ?? 1 }
        let mean = rates.reduce(0, +) / Double(rates.count)
        let variance = rates.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(rates.count)
        let bound = mean - configuration.rateDeviationsMax * variance.squareRoot()
        return zip(asked, rates).filter { $0.1 < bound }.sorted { $0.1 < $1.1 }.map(\.0)
    }

    private mutating func eject(_ slot: Int, at now: Duration) -> Bool {
        let share = Int(Double(count) * configuration.ejectedShareMax)
        guard var health = healths[slot], health.ejectedUntil == nil,
            ejectedCount < max(1, share)
        else { return false }
        health.ejections += 1
        let times = min(health.ejections, 1 << 20)
        health.ejectedUntil =
            now + min(configuration.ejectionTime * times, configuration.ejectionTimeMax)
        healths[slot] = health
        ejectedCount += 1
        ejections += 1
        return true
    }
}
