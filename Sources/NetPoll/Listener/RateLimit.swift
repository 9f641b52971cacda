/// How many of something may happen in a time: a bucket that fills steadily and is drawn from.
struct RateLimit: Hashable, Sendable {
    private let perSecond: Int
    private let burst: Int
    /// Nanoseconds of the rate that were saved up.
    private var saved: Int64
    private var lastFill: Instant

    init(perSecond: Int, burst: Int, now: Instant) {
        precondition(perSecond > 0, "a rate of \(perSecond) a second")
        precondition(burst > 0, "a burst of \(burst)")
        self.perSecond = perSecond
        self.burst = burst
        lastFill = now
        saved = 0
        saved = full
    }

    /// What may be saved up, far from overflowing.
    private var full: Int64 {
        let (product, overflow) = Int64(burst).multipliedReportingOverflow(by: nanosecondsEach)
        return overflow ? .max / 2 : min(product, .max / 2)
    }

    private var nanosecondsEach: Int64 { max(1, 1_000_000_000 / Int64(perSecond)) }

    /// How many may happen now.
    mutating func available(at now: Instant) -> Int {
        let full = full
        let passed = max(0, (now - lastFill).inNanoseconds)
        lastFill = now
        saved = passed >= full - saved ? full : saved + passed
        return Int(saved / nanosecondsEach)
    }

    /// One happened; more than were available count against later ones.
    mutating func take() { saved -= nanosecondsEach }

    /// How long until one may happen.
    var wait: Duration { .nanoseconds(max(0, nanosecondsEach - saved)) }
}
