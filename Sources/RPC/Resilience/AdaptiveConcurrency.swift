internal import NetPoll

/// How a server finds out how many calls it can serve at once.
///
/// More calls in flight than that only wait for each other: they take longer, and nothing more gets
/// done. So the limit follows latency: it grows while calls take no longer than they usually do, and
/// shrinks as they take longer (the gradient limit of Netflix's concurrency-limits).
public struct AdaptiveConcurrency: Hashable, Sendable {
    /// The limit to begin with. Default 32.
    public var initial = 32
    /// The lowest limit. Default 4.
    public var lowest = 4
    /// The highest limit. Default 4,096.
    public var highest = 4_096
    /// How much longer than usual calls may take before the limit shrinks, from 1 to 1.6. Default 1.5
    /// times.
    public var tolerance = 1.5
    /// How long latencies are gathered before the limit moves. Default 100 ms.
    public var window = Duration.milliseconds(100)
    /// How many calls must have ended in that time. Default 16.
    public var callsMin = 16

    public init() {}

    func check() {
        precondition(lowest > 0, "a lowest limit of \(lowest) calls")
        precondition(
            (lowest...max(lowest, highest)).contains(initial) && highest >= lowest,
            "a limit of \(initial) calls, from \(lowest) to \(highest)")
        precondition((1...1.6).contains(tolerance), "a tolerance of \(tolerance)")
        precondition(window > .zero, "a window of \(window)")
        precondition(callsMin > 0, "\(callsMin) calls a window")
    }
}

/// Says how many calls may be in flight, by how long they take.
///
/// Each window of time its mean latency is compared with the usual one, the lowest of late:
/// `limit · clamp(tolerance · usual / mean, ½, 1) + √limit` is where the limit goes, a fifth of the
/// way. A window in which a tenth of the calls were given up counts as twice as slow as usual. While
/// less than half of the limit is in use latency says nothing about it, and it stays.
///
/// What is usual changes, and under a lasting overload nobody could tell. So every fiftieth window
/// the limit is ``probeShare`` of itself, and the calls that begin then say anew what is usual.
///
/// Reads no clock: time is nanoseconds that do not run backwards.
struct ConcurrencyLimiter: Sendable {
    /// Below 1 / tolerance, else a queue would pass for what is usual.
    private static let probeShare = 0.6
    private static let windowsBetweenProbes = 50

    private let configuration: AdaptiveConcurrency
    private let windowNanoseconds: Int64
    private var estimate: Double
    /// In nanoseconds; 0 before the first window.
    private var usual = 0.0

    private var windowStart: Int64?
    private var latencies: Int64 = 0
    private var ended = 0
    private var dropped = 0
    private var inFlightMax = 0
    private var isProbing = false
    private var windowsUntilProbe = windowsBetweenProbes

    private(set) var inFlight = 0

    /// - Precondition: The configuration's values make sense.
    init(_ configuration: AdaptiveConcurrency) {
        configuration.check()
        self.configuration = configuration
        windowNanoseconds = configuration.window.inNanoseconds
        estimate = Double(configuration.initial)
    }

    /// How many calls may be in flight now.
    var limit: Int {
        let limit = isProbing ? estimate * Self.probeShare : estimate
        return max(configuration.lowest, Int(limit))
    }

    /// A call wants to run; `false` where it is to be refused.
    mutating func enter() -> Bool {
        guard inFlight < limit else { return false }
        inFlight += 1
        inFlightMax = max(inFlightMax, inFlight)
        return true
    }

    /// A call that entered is not run after all.
    mutating func cancelEntry() {
        precondition(inFlight > 0, "a call left that had not entered")
        inFlight -= 1
    }

    /// A call that entered is over.
    ///
    /// - Parameters:
    ///   - started: When it entered.
    ///   - wasDropped: Whether nobody waits for it any more.
    ///   - now: The present.
    mutating func leave(started: Int64, wasDropped: Bool, at now: Int64) {
        precondition(inFlight > 0, "a call left that had not entered")
        inFlight -= 1
        guard let start = windowStart else {
            windowStart = now
            return
        }
        // Calls of before the probe waited for others of before.
        if !isProbing || started >= start {
            if wasDropped {
                dropped += 1
            } else {
                latencies += max(0, now - started)
                ended += 1
            }
        }
        guard now - start >= windowNanoseconds, ended + dropped >= configuration.callsMin else {
            return
        }
        adjust()
        windowStart = now
        (latencies, ended, dropped, inFlightMax) = (0, 0, 0, inFlight)
    }

    private mutating func adjust() {
        let mean = ended > 0 ? max(1, Double(latencies) / Double(ended)) : usual
        if isProbing {
            isProbing = false
            windowsUntilProbe = Self.windowsBetweenProbes
            usual = mean
            return
        }
        windowsUntilProbe -= 1
        isProbing = windowsUntilProbe == 0
        var gradient = 0.5
        if dropped * 10 <= ended {
            usual = usual == 0 ? mean : min(usual, mean)
            gradient = min(1, max(0.5, configuration.tolerance * usual / mean))
        }
        // All that is in use now, not what the probe allows.
        if gradient == 1, inFlightMax * 2 < Int(estimate) { return }
        let next = estimate * gradient + (gradient == 1 ? estimate.squareRoot() : 0)
        estimate += (next - estimate) * 0.2
        estimate = min(max(estimate, Double(configuration.lowest)), Double(configuration.highest))
    }
}
