/// How a server finds out that a peer vanished.
///
/// Any byte received counts as life: a connection that receives is not pinged.
public struct Heartbeat: Hashable, Sendable {
    /// Silence after which a ping is sent. Default 25 s.
    public var interval: Duration
    /// Silence after which the connection is given up, at most 20 days. Default 60 s.
    public var timeout: Duration
    /// How long the interval may become: with each ping that is answered it grows by half, for what
    /// lies between lets silent connections live so long. A connection that was lost and comes again
    /// begins with ``interval``.
    ///
    /// The time between ping and giving up stays ``timeout`` less ``interval``, so that a silent peer
    /// is found within that and this together. `nil`, the default: the interval stays.
    public var intervalMax: Duration?

    public init(
        interval: Duration = .seconds(25), timeout: Duration = .seconds(60),
        intervalMax: Duration? = nil
    ) {
        precondition(interval > .zero, "heartbeat interval of \(interval)")
        precondition(timeout > interval, "heartbeat timeout \(timeout) within \(interval)")
        // Silence is counted in 32 bits of milliseconds.
        precondition(
            timeout - interval + max(interval, intervalMax ?? interval) <= .seconds(20 * 86_400),
            "heartbeat timeout of \(timeout)")
        self.interval = interval
        self.timeout = timeout
        self.intervalMax = intervalMax
    }

    /// The interval after so many pings that were answered.
    func interval(afterAnswers answers: Int) -> Duration {
        guard let intervalMax, intervalMax > interval else { return interval }
        var grown = interval
        for _ in 0..<answers {
            grown = grown + grown / 2
            if grown >= intervalMax { return intervalMax }
        }
        return grown
    }
}

/// What one connection's heartbeat remembers, in one byte.
struct HeartbeatRhythm {
    /// What to do when the timer has fired.
    enum OnBeat: Hashable {
        case giveUp
        case ping(next: Duration)
        case wait(next: Duration)
    }

    private static let pinged: UInt8 = 0x80

    private var bits: UInt8 = 0

    private var answers: Int { Int(bits & ~Self.pinged) }

    mutating func beat(after silence: Duration, _ heartbeat: Heartbeat) -> OnBeat {
        let grace = heartbeat.timeout - heartbeat.interval
        // After a ping the timer is armed for no longer than the first interval: who has been silent
        // for less has answered.
        if bits & Self.pinged != 0, silence <= heartbeat.interval {
            bits = UInt8(min(answers + 1, Int(Self.pinged) - 1))
        }
        let interval = heartbeat.interval(afterAnswers: answers)
        if silence >= interval + grace { return .giveUp }
        guard silence < interval else {
            bits |= Self.pinged
            return .ping(next: min(heartbeat.interval, interval + grace - silence))
        }
        return .wait(next: interval - silence)
    }
}
