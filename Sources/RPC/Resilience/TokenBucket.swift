/// Lets so many pass per second, and so many at once after a quiet time.
///
/// Keeps one number, the moment at which the bucket would be full again (the generic cell rate
/// algorithm, ITU-T I.371). Reads no clock: time is nanoseconds that do not run backwards.
struct TokenBucket: Sendable {
    private let interval: Int64
    private let tolerance: Int64
    private var fullAt = Int64.min

    /// - Precondition: Both are positive.
    init(_ limit: RateLimit) {
        limit.check()
        interval = max(1, Int64(1_000_000_000 / limit.callsPerSecond))
        tolerance = interval.multipliedReportingOverflow(by: Int64(limit.burst)).partialValue
    }

    /// Takes a token, if there is one.
    mutating func take(at now: Int64) -> Bool {
        let next = max(fullAt, now) + interval
        guard next - now <= tolerance else { return false }
        fullAt = next
        return true
    }
}

/// How many calls a server takes per second.
public struct RateLimit: Hashable, Sendable {
    /// The calls of a long time, for each second of it.
    public var callsPerSecond: Double
    /// How many may come at once after a quiet time.
    public var burst: Int

    /// - Parameters:
    ///   - callsPerSecond: Greater than 0, and at most 1,000,000,000.
    ///   - burst: From 1 to 1,000,000. Default: a tenth of a second's calls, at least 1.
    public init(callsPerSecond: Double, burst: Int? = nil) {
        self.callsPerSecond = callsPerSecond
        self.burst = burst ?? Int(min(max(callsPerSecond / 10, 1), 1_000_000))
    }

    func check() {
        precondition(
            callsPerSecond > 0 && callsPerSecond <= 1_000_000_000,
            "\(callsPerSecond) calls per second")
        precondition((1...1_000_000).contains(burst), "a burst of \(burst) calls")
        precondition(
            Double(burst) / callsPerSecond < 1_000_000_000, "a burst of \(burst) calls at that rate"
        )
    }
}
