internal import NetPoll

/// How long to wait before the next attempt after failures in a row: exponential, with full jitter.
///
/// After the *n*-th failure the wait is uniform between nothing and the lesser of
/// ``cap`` and ``base`` · 2ⁿ⁻¹. With full jitter, clients that failed together do not come back
/// together, and all of them together try least often (Brooker, "Exponential Backoff And Jitter",
/// AWS Architecture Blog, 2015).
///
/// Reads no clock and owns no random source.
public struct Backoff: Hashable, Sendable {
    /// The longest wait after the first failure; 100 ms by default.
    public let base: Duration
    /// The longest wait after any failure; 10 s by default.
    public let cap: Duration

    /// Failures since the last success.
    public private(set) var failures = 0

    /// - Precondition: `base` is positive and `cap` is no less.
    public init(base: Duration = .milliseconds(100), cap: Duration = .seconds(10)) {
        precondition(base > .zero, "a backoff's base is positive, not \(base)")
        precondition(cap >= base, "a backoff's cap of \(cap) is less than its base of \(base)")
        self.base = base
        self.cap = cap
    }

    /// The longest wait that the last failure can have led to; zero where there was none.
    public var bound: Duration {
        failures == 0 ? .zero : .nanoseconds(boundInNanoseconds)
    }

    /// Counts a failure.
    ///
    /// - Returns: How long to wait before the next attempt.
    public mutating func failed(using random: inout some RandomNumberGenerator) -> Duration {
        if failures < .max { failures += 1 }
        // Not `Int64.random(in:)`: its rejection loop never ends with a generator that repeats itself.
        let choices = UInt64(boundInNanoseconds) + 1
        return .nanoseconds(Int64(random.next().multipliedFullWidth(by: choices).high))
    }

    /// Forgets the failures: an attempt succeeded.
    public mutating func reset() {
        failures = 0
    }

    private var boundInNanoseconds: Int64 {
        let (shortest, longest) = (base.inNanoseconds, cap.inNanoseconds)
        let doublings = failures - 1
        // Shifting the cap back cannot overflow, as shifting the base could.
        guard doublings < 63, shortest <= longest >> doublings else { return longest }
        return shortest << doublings
    }
}
