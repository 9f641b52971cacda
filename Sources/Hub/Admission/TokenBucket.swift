public import NetPoll

/// Limits a rate: tokens drip in steadily and are spent one per action, up to a burst at once.
///
/// It may go into debt as deep as the burst, so that an owner can tell a peer that is a little too
/// fast from one that does not listen.
public struct TokenBucket: Sendable {
    /// What became of one action.
    public enum Outcome: Hashable, Sendable {
        /// Within the rate.
        case allowed
        /// Too fast; at the steady rate the next one is allowed after `retryAfter`.
        case limited(retryAfter: Duration)
        /// Too fast for so long that the debt is as deep as the burst.
        case exhausted
    }

    private let nanosecondsPerToken: Int64
    private let burst: Int64
    /// When the bucket is, or was, level with its burst; the whole state.
    private var fullAt: Int64

    /// Creates a full bucket.
    ///
    /// - Parameters:
    ///   - perSecond: Tokens that drip in, at least one per second.
    ///   - burst: Tokens it holds, at least one.
    public init(perSecond: Int, burst: Int) {
        precondition(perSecond > 0, "a rate of \(perSecond) per second")
        precondition(burst > 0, "a burst of \(burst)")
        nanosecondsPerToken = 1_000_000_000 / Int64(perSecond)
        self.burst = Int64(burst)
        fullAt = Int64.min / 2
    }

    /// Spends `count` tokens at `now`; one, unless it is said how many.
    public mutating func take(_ count: Int = 1, at now: Instant) -> Outcome {
        let now = now.nanoseconds
        let next = max(fullAt, now) + Int64(count) * nanosecondsPerToken
        let missing = (next - now) - burst * nanosecondsPerToken
        guard missing > 0 else {
            fullAt = next
            return .allowed
        }
        guard missing <= burst * nanosecondsPerToken else { return .exhausted }
        fullAt = next
        return .limited(retryAfter: .nanoseconds(missing))
    }
}
