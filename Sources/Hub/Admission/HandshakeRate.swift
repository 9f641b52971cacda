import NetPoll

/// How fast clients are let in, all together; those beyond are told when to come again.
///
/// Clients that resume a session, as ``HubConfiguration/isResume`` finds, go before those that log in:
/// the latter leave a part of the burst alone. A resume token proves that its client comes back, and
/// not that it does so for the first time: as long as one is valid it opens the reserve any number of
/// times. The reserve puts those who come back first; against somebody who wants to use it up it is
/// no protection.
public struct HandshakeRate: Hashable, Sendable {
    /// Clients a second, at least 1. Default 10,000.
    public var perSecond = 10_000
    /// Clients that may come at once, at least 1. Default 20,000.
    public var burst = 20_000
    /// Clients of ``burst`` that only resuming ones may use. Default 5,000.
    public var reservedForResumes = 5_000
    /// The longest time that a client is told to wait. Default 60 s.
    public var retryAfterMax = Duration.seconds(60)

    /// Creates the defaults.
    public init() {}
}

/// Decides who is let in now, and when the others shall come again: each of them is promised a moment
/// of its own, so that they come no faster than they are let in.
///
/// Sees no clock and no random source.
struct HandshakeBucket {
    enum Outcome: Hashable {
        case allowed
        case refused(retryAfter: Duration)
    }

    private let interval: Int64
    private let burst: Int64
    private let reserved: Int64
    private let retryAfterMax: Duration
    /// When the bucket is, or was, level with its burst.
    private var fullAt = Int64.min / 2
    /// The moment that was promised last.
    private var promisedAt = Int64.min / 2

    init(_ rate: HandshakeRate) {
        precondition(rate.perSecond > 0, "a rate of \(rate.perSecond) per second")
        precondition(rate.burst > 0, "a burst of \(rate.burst)")
        precondition(
            (0..<rate.burst).contains(rate.reservedForResumes),
            "\(rate.reservedForResumes) of a burst of \(rate.burst) are reserved")
        interval = 1_000_000_000 / Int64(rate.perSecond)
        burst = Int64(rate.burst)
        reserved = Int64(rate.reservedForResumes)
        retryAfterMax = rate.retryAfterMax
    }

    /// Lets a client in, whoever it is, where that leaves the reserve alone.
    ///
    /// - Parameter now: The time.
    /// - Returns: Whether it is let in; nothing is promised to one that is not.
    mutating func takeWithoutReserve(at now: Instant) -> Bool {
        let next = max(fullAt, now.nanoseconds) + interval
        guard next - now.nanoseconds <= (burst - reserved) * interval else { return false }
        fullAt = next
        return true
    }

    /// Lets a client in, or tells it when to come again.
    ///
    /// - Parameters:
    ///   - isResume: Whether it resumes a session.
    ///   - now: The time.
    ///   - chance: Drawn evenly from 0 to 1.
    /// - Returns: Whether it is let in.
    mutating func take(isResume: Bool, at now: Instant, chance: Double) -> Outcome {
        let now = now.nanoseconds
        let next = max(fullAt, now) + interval
        let room = (isResume ? burst : burst - reserved) * interval
        let missing = next - now - room
        guard missing > 0 else {
            fullAt = next
            return .allowed
        }
        promisedAt = max(promisedAt + interval, now + missing)
        var delay = Duration.nanoseconds(promisedAt - now)
        if delay > retryAfterMax {
            // Nobody is promised more: they come spread over the later half of the longest time.
            promisedAt = now + Int64(retryAfterMax / .nanoseconds(1))
            delay = retryAfterMax / 2 + retryAfterMax * (chance / 2)
        } else {
            delay += min(delay, retryAfterMax - delay) * (chance / 4)
        }
        return .refused(retryAfter: delay)
    }
}
