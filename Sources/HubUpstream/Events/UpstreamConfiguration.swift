public import Hub

/// Bounds and times of ``UpstreamEvents``.
public struct UpstreamConfiguration: Sendable {
    /// Events that wait or are being told; beyond, messages are dropped, from three quarters of it on:
    /// the last quarter is for beginnings and endings of sessions. Default 10,000.
    public var eventsMax = 10_000
    /// Bytes of events that wait or are being told; beyond, messages are dropped. Default 16 MiB.
    public var bytesMax = 16 << 20
    /// Messages of one session that wait or are being told; beyond, its messages are dropped.
    /// Default 256.
    public var eventsPerSessionMax = 256
    /// Bytes of the events of one session that wait or are being told; beyond, its messages are
    /// dropped. Default 1 MiB.
    public var bytesPerSessionMax = 1 << 20
    /// Sessions whose events are told at a time; of each one after the other. Default 32.
    public var inFlightMax = 32
    /// How long an event is told again and again before it is dropped. Default 5 minutes.
    public var patience = Duration.seconds(300)
    /// The longest wait after the first time that an event could not be told; doubled with each, and
    /// each drawn between nothing and that (full jitter). Default 200 ms.
    public var backoffBase = Duration.milliseconds(200)
    /// The longest wait, also where the application asks for a longer one. Default 10 s.
    public var backoffCap = Duration.seconds(10)
    /// Tells the time of the calendar. Default: the system's.
    public var calendar: @Sendable () -> Timestamp = HubConfiguration().calendar

    /// Creates the defaults.
    public init() {}

    func check() {
        precondition(eventsMax >= 4, "at most \(eventsMax) events")
        precondition(bytesMax > 0, "events of at most \(bytesMax) bytes")
        precondition(eventsPerSessionMax > 0, "at most \(eventsPerSessionMax) events of a session")
        precondition(bytesPerSessionMax > 0, "at most \(bytesPerSessionMax) bytes of a session")
        precondition(inFlightMax > 0, "at most \(inFlightMax) sessions at a time")
        precondition(patience > .zero, "a patience of \(patience)")
        precondition(
            backoffBase > .zero && backoffCap >= backoffBase,
            "waits of \(backoffBase) to \(backoffCap)")
    }
}

/// What ``UpstreamEvents`` hold and did so far.
public struct UpstreamSnapshot: Hashable, Sendable {
    /// Events that wait or are being told.
    public var waiting = 0
    /// Their bytes, as they count against the limit.
    public var waitingBytes = 0
    /// Events that are being told.
    public var inFlight = 0
    /// Events that the application has.
    public var delivered: UInt64 = 0
    /// Times that an event could not be told and was told again later.
    public var retries: UInt64 = 0
    /// Events that found no room.
    public var dropped: UInt64 = 0
    /// Events that could not be told within the patience, or before the end.
    public var abandoned: UInt64 = 0
    /// Events that the application did not want.
    public var refused: UInt64 = 0
}
