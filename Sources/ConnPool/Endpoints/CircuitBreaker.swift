/// Stops attempts to an endpoint that keeps failing, and lets one through from time to time to see
/// whether it is back (Nygard, "Release It!", 2007).
///
///     closed ──failures in a row──▶ open ──its time is over──▶ halfOpen ──probe succeeds──▶ closed
///                                    ▲                            │
///                                    └────probe fails or is abandoned
///
/// Reads no clock: time is a `Duration` since an arbitrary origin that does not run backwards.
public struct CircuitBreaker: Sendable {
    /// When a breaker opens, and for how long.
    public struct Configuration: Hashable, Sendable {
        /// How many failures in a row open the breaker; 5 by default.
        public var failuresMax = 5
        /// How long the breaker stays open the first time; 1 s by default. Each failed probe
        /// doubles it.
        public var openTime = Duration.seconds(1)
        /// The longest the breaker stays open before a probe; 30 s by default.
        public var openTimeMax = Duration.seconds(30)

        public init() {}
    }

    /// What the breaker does with attempts.
    public enum State: Hashable, Sendable {
        /// Attempts pass; so many failed in a row.
        case closed(failures: Int)
        /// Attempts are refused until this moment.
        case open(until: Duration)
        /// One attempt, the probe, is under way; others are refused.
        case halfOpen
    }

    /// An attempt that was let through. Its outcome goes back to the breaker that gave it.
    public struct Permit: Hashable, Sendable {
        let generation: UInt64
        /// Whether the fate of the breaker hangs on this attempt alone.
        public let isProbe: Bool
    }

    public enum OnAttempt: Hashable, Sendable {
        /// Try; then call ``CircuitBreaker/succeeded(_:)``, ``CircuitBreaker/failed(_:at:)`` or
        /// ``CircuitBreaker/abandoned(_:at:)``.
        case proceed(Permit)
        /// Do not try before this moment; `nil` while a probe is under way, whose end decides.
        case refuse(until: Duration?)
    }

    public private(set) var state = State.closed(failures: 0)
    private let configuration: Configuration
    /// Rises with every change between closed, open and half-open, so that the outcome of an
    /// attempt from before is recognised.
    private var generation: UInt64 = 0
    /// How long the breaker stays open when it opens next.
    private var nextOpenTime: Duration

    /// - Precondition: `failuresMax` and `openTime` are positive, and `openTimeMax` is no less than
    ///   `openTime`.
    public init(configuration: Configuration = Configuration()) {
        precondition(
            configuration.failuresMax > 0,
            "a breaker opens after 1 failure at the earliest, not \(configuration.failuresMax)")
        precondition(
            configuration.openTime > .zero,
            "a breaker's openTime is positive, not \(configuration.openTime)")
        precondition(
            configuration.openTimeMax >= configuration.openTime,
            "openTimeMax of \(configuration.openTimeMax) is less than \(configuration.openTime)")
        self.configuration = configuration
        nextOpenTime = configuration.openTime
    }

    /// Whether ``attempted(at:)`` would let an attempt through.
    public func admits(at now: Duration) -> Bool {
        switch state {
        case .closed: true
        case .open(let end): now >= end
        case .halfOpen: false
        }
    }

    /// Someone wants to try.
    public mutating func attempted(at now: Duration) -> OnAttempt {
        switch state {
        case .closed:
            return .proceed(Permit(generation: generation, isProbe: false))
        case .open(let end) where now < end:
            return .refuse(until: end)
        case .open:
            enter(.halfOpen)
            return .proceed(Permit(generation: generation, isProbe: true))
        case .halfOpen:
            return .refuse(until: nil)
        }
    }

    /// An attempt succeeded. The outcome of one that began before the breaker last opened or closed
    /// says nothing about now, and is ignored; so for the other outcomes.
    public mutating func succeeded(_ permit: Permit) {
        guard permit.generation == generation else { return }
        switch state {
        case .closed:
            state = .closed(failures: 0)
        case .halfOpen:
            nextOpenTime = configuration.openTime
            enter(.closed(failures: 0))
        case .open:
            preconditionFailure("attempt of generation \(generation) ended in the state \(state)")
        }
    }

    /// An attempt failed.
    public mutating func failed(_ permit: Permit, at now: Duration) {
        guard permit.generation == generation else { return }
        switch state {
        case .closed(let failures) where failures + 1 < configuration.failuresMax:
            state = .closed(failures: failures + 1)
        case .closed, .halfOpen:
            enter(.open(until: now + nextOpenTime))
            nextOpenTime = min(nextOpenTime * 2, configuration.openTimeMax)
        case .open:
            preconditionFailure("attempt of generation \(generation) ended in the state \(state)")
        }
    }

    /// An attempt was given up before it had an outcome. After a probe the next attempt may follow
    /// at once.
    public mutating func abandoned(_ permit: Permit, at now: Duration) {
        guard permit.generation == generation, case .halfOpen = state else { return }
        enter(.open(until: now))
    }

    private mutating func enter(_ next: State) {
        state = next
        generation += 1
    }
}
