/// When to connect again: exponential with full jitter, so that clients that lost their hub together
/// do not come back together.
struct Backoff {
    /// The longest that is waited because the hub, or a proxy before it, said so.
    static let adviceMax = Duration.seconds(3_600)

    private let first: Duration
    private let most: Duration
    private let stableAfter: Duration
    private var failures = 0
    /// What the hub said, for the next time.
    var advised: Duration?
    /// What the hub wants to pass before, the next time.
    var least = Duration.zero

    init(_ settings: HubClient.Configuration) {
        first = settings.retryAfter
        most = settings.retryAfterMax
        stableAfter = settings.stableAfter
    }

    /// A session was ready for so long.
    mutating func worked(for duration: Duration) {
        if duration >= stableAfter { failures = 0 }
    }

    /// What failed before is forgotten.
    mutating func succeeded() { failures = 0 }

    /// Counts a failure that was waited for.
    mutating func failed() { failures += 1 }

    /// The most that is waited now: twice as much after each failure.
    var bound: Duration {
        var bound = first
        for _ in 0..<failures where bound < most { bound = bound * 2 }
        return min(bound, most)
    }

    /// Counts a failure.
    ///
    /// - Parameter fraction: A random number from 0 to 1.
    /// - Returns: The delay: that part of a bound which doubles each time, and ``least``; or what the hub
    ///   said. After a failure that is no less than without it, or clients that are told to come at once
    ///   would never stop.
    mutating func next(fraction: Double) -> Duration {
        defer { (failures, least) = (failures + 1, .zero) }
        if let advised {
            self.advised = nil
            let least = failures > 0 ? bound.part(fraction) : .zero
            return max(min(advised, Self.adviceMax), least)
        }
        return least + bound.part(fraction)
    }
}

extension Duration {
    /// In whole nanoseconds, so that the whole of it is itself.
    func part(_ fraction: Double) -> Duration {
        .nanoseconds(Int64(self / .nanoseconds(1) * fraction))
    }
}
