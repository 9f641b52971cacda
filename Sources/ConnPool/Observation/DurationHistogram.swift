internal import NetPoll

/// How often durations of each size were seen, in buckets an eighth of their size wide.
public struct DurationHistogram: Hashable, Sendable {
    private static var bits: Int { 3 }

    /// Counts by bucket: eight for each power of two of nanoseconds, up to 4.9 hours.
    private var counts = [Int](repeating: 0, count: 44 << bits)

    package init() {}

    /// How many durations were seen.
    public private(set) var count = 0
    /// All of them together.
    public var total: Duration { .nanoseconds(sum) }
    private var sum: Int64 = 0

    /// The duration below which a part of all lie.
    ///
    /// - Parameter quantile: From 0 to 1: 0.5 is the median.
    /// - Returns: The upper end of its bucket; `nil` where nothing was seen.
    public func quantile(_ quantile: Double) -> Duration? {
        precondition((0...1).contains(quantile), "quantile of \(quantile)")
        guard count > 0 else { return nil }
        let rank = max(1, Int((quantile * Double(count)).rounded(.up)))
        var seen = 0
        for (bucket, count) in counts.enumerated() where count > 0 {
            seen += count
            if seen >= rank { return .nanoseconds(Self.upperEnd(bucket)) }
        }
        return nil
    }

    /// What was seen since `earlier`, a former value of the same histogram.
    public func since(_ earlier: DurationHistogram) -> DurationHistogram {
        var difference = self
        for bucket in counts.indices { difference.counts[bucket] -= earlier.counts[bucket] }
        difference.count -= earlier.count
        difference.sum -= earlier.sum
        return difference
    }

    package mutating func add(nanoseconds: Int64, times: Int = 1) {
        let value = max(0, nanoseconds)
        counts[min(Self.bucket(value), counts.count - 1)] += times
        count += times
        sum &+= value &* Int64(times)
    }

    /// Adds what another one saw.
    package mutating func add(_ other: DurationHistogram) {
        for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
        count += other.count
        sum &+= other.sum
    }

    private static func bucket(_ value: Int64) -> Int {
        guard value >= 1 << bits else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        let mantissa = Int(value >> (exponent - bits)) & (1 << bits - 1)
        return (exponent - bits + 1) << bits + mantissa
    }

    private static func upperEnd(_ bucket: Int) -> Int64 {
        guard bucket >= 1 << bits else { return Int64(bucket) }
        let exponent = bucket >> bits + bits - 1
        let mantissa = Int64(bucket & (1 << bits - 1) | 1 << bits)
        return (mantissa + 1) << (exponent - bits) - 1
    }
}
