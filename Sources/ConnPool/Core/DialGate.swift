internal import NetPoll

/// Says when a dial may begin: the pause after failures, and the breaker.
struct DialGate: Sendable {
    private var backoff: Backoff
    private(set) var breaker: CircuitBreaker?
    private var pausedUntil = Instant(nanoseconds: .min)

    init(_ configuration: PoolConfiguration) {
        backoff = configuration.backoff
        breaker = configuration.breaker.map { CircuitBreaker(configuration: $0) }
    }

    /// Dials that failed in a row.
    var failures: Int { backoff.failures }

    /// When a dial may begin, at the earliest; ``Instant/never`` while a probe decides.
    func opensAt(_ now: Instant) -> Instant {
        switch breaker?.state {
        case .open(let until):
            let whole = until.inNanoseconds
            let end = Instant(nanoseconds: whole)
            // Rounded up: the breaker refuses a dial that is a part of a nanosecond early.
            return max(pausedUntil, .nanoseconds(whole) < until ? end.after(1) : end)
        case .halfOpen: return .never
        case .closed, nil: return pausedUntil
        }
    }

    /// Begins a dial, where ``opensAt(_:)`` has come.
    mutating func began(_ now: Instant) -> CircuitBreaker.Permit? {
        switch breaker?.attempted(at: now.sinceOrigin) {
        case .proceed(let permit): return permit
        case nil: return nil
        case .refuse: preconditionFailure("a dial began at \(now) against the breaker")
        }
    }

    mutating func succeeded(_ permit: CircuitBreaker.Permit?) {
        backoff.reset()
        pausedUntil = Instant(nanoseconds: .min)
        if let permit { breaker?.succeeded(permit) }
    }

    mutating func failed(
        _ permit: CircuitBreaker.Permit?, _ now: Instant,
        using random: inout some RandomNumberGenerator
    ) {
        // Dials that began together fail together; the pauses do not add up.
        pausedUntil = max(pausedUntil, now + backoff.failed(using: &random))
        if let permit { breaker?.failed(permit, at: now.sinceOrigin) }
    }

    mutating func abandoned(_ permit: CircuitBreaker.Permit?, _ now: Instant) {
        if let permit { breaker?.abandoned(permit, at: now.sinceOrigin) }
    }
}
