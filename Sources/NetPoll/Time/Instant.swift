/// A point on a driver's monotonic clock.
///
/// Instants of different drivers (the system's and a simulated one) cannot be compared in a
/// meaningful way; instants of two loops in one process can.
public struct Instant: InstantProtocol, Hashable, Sendable {
    /// Nanoseconds since the clock's arbitrary origin.
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The time since the clock's origin, for cores that take a `Duration`.
    public var sinceOrigin: Duration { .nanoseconds(nanoseconds) }

    /// This moment moved by `duration`; saturates at the ends of the clock (about 292 years).
    public func advanced(by duration: Duration) -> Instant { self + duration }

    /// The time from this moment to `other`.
    public func duration(to other: Instant) -> Duration { other - self }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates at the ends of the clock (about 292 years).
    public static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.inNanoseconds)
        guard !overflow else {
            return Instant(nanoseconds: duration < .zero ? .min : .max)
        }
        return Instant(nanoseconds: sum)
    }

    public static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(later.nanoseconds &- earlier.nanoseconds)
    }
}

extension Duration {
    /// Whole nanoseconds, saturating at the ends of `Int64`.
    package var inNanoseconds: Int64 {
        // Short of 18 seconds all attoseconds fit 64 bits, and of 584 years one division does.
        let whole = attoseconds
        if whole >= 0, let high = UInt64(exactly: whole >> 64), high < 1_000_000_000 / 2 {
            let low = UInt64(truncatingIfNeeded: whole)
            return Int64((1_000_000_000 as UInt64).dividingFullWidth((high, low)).quotient)
        }
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, tooBig) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard !tooBig else { return seconds < 0 ? .min : .max }
        return sum
    }
}
