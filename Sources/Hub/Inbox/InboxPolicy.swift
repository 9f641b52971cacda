/// How messages of users' inboxes are delivered: at least once, until they are acknowledged.
public struct InboxPolicy: Hashable, Sendable {
    /// Bounds of each inbox.
    public var limits = InboxLimits()
    /// How long a message is worth delivering; `nil`, the default, for ever.
    public var timeToLive: Duration?
    /// How long a session has to acknowledge a message before it is sent again; twice as long after
    /// each further time. Default 5 s.
    public var retryAfter = Duration.seconds(5)
    /// The longest such time. Default 5 min.
    public var retryAfterMax = Duration.seconds(300)
    /// Deliveries of a message, in all of the user's sessions together, after which it is quarantined
    /// instead of delivered again. Default 20.
    public var attemptsMax = 20
    /// Messages that a session is given before it acknowledges the first of them. Default 64.
    public var unacknowledgedMax = 64
    /// Deposits and acknowledgements that wait for the store, in all; beyond, they are refused.
    /// Default 65,536.
    public var waitingMax = 65_536
    /// Bytes of deposits that wait for the store, in all; beyond, they are refused. One that finds nothing
    /// waiting may be larger.
    ///
    /// Default 64 MiB, and a quarter of ``HubConfiguration/memoryBytesMax`` at most.
    public var waitingBytesMax = 64 << 20

    /// Creates the defaults.
    public init() {}

    /// How long to wait for the acknowledgement of the delivery of that number, the first being 1.
    func patience(afterAttempt attempt: Int) -> Duration {
        var patience = retryAfter
        for _ in 1..<max(attempt, 1) {
            patience = patience * 2
            if patience >= retryAfterMax { return retryAfterMax }
        }
        return min(patience, retryAfterMax)
    }
}
