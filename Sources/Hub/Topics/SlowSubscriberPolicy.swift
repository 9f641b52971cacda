public import WSFrame

/// What happens to a subscriber that does not read, when the messages that wait for it are more than
/// ``HubConfiguration/TopicLimits/waitingMessagesMax`` or
/// ``HubConfiguration/TopicLimits/waitingBytesMax``.
///
/// Until then nothing is lost: a subscriber is a place in the shared messages, and goes on from there
/// as its connection takes them.
public enum SlowSubscriberPolicy: Hashable, Sendable {
    /// It gets the stored messages from the history as it goes on reading, and goes over to the live
    /// ones without gap or duplicate. Transient messages of the time between are dropped. Where the
    /// history has lost its place it is told so by a ``ServerEnvelope/subscribed(_:)`` that is not
    /// recovered; a client whose protocol has no word for that is closed with
    /// `CloseCode.tryAgainLater`, to ask again. The default.
    case catchUp
    /// It goes on with the oldest message that still waits; those before are dropped.
    case skipToOldest
    /// It goes on with the next message; all that wait are dropped.
    case skipToLatest
    /// Of the messages that wait, those are dropped for it that a later one with the same key
    /// replaces; if it is still too many, as ``skipToOldest``.
    case conflate
    /// It is closed with this code.
    case close(CloseCode)
}

/// What a topic did since it was made; exact.
public struct TopicMetrics: Hashable, Sendable {
    /// Messages taken.
    public internal(set) var published: UInt64 = 0
    /// Messages refused because a loop was too far behind.
    public internal(set) var refused: UInt64 = 0
    /// Messages given to subscribers, each counted once for each of them.
    public internal(set) var delivered: UInt64 = 0
    /// Those of ``delivered`` that came from the history to subscribers that had fallen behind.
    public internal(set) var caughtUp: UInt64 = 0
    /// Messages not given to subscribers that had fallen too far behind, each counted once for each
    /// of them.
    public internal(set) var skipped: UInt64 = 0
    /// Messages not given to subscribers that had fallen behind because a later one replaced them.
    public internal(set) var conflated: UInt64 = 0
    /// Volatile messages not given to subscribers that could not take them at once.
    public internal(set) var volatileDropped: UInt64 = 0
    /// Subscribers that were told of a gap or closed because they had fallen too far behind.
    public internal(set) var gaps: UInt64 = 0

    static func += (metrics: inout TopicMetrics, other: TopicMetrics) {
        metrics.published += other.published
        metrics.refused += other.refused
        metrics.delivered += other.delivered
        metrics.caughtUp += other.caughtUp
        metrics.skipped += other.skipped
        metrics.conflated += other.conflated
        metrics.volatileDropped += other.volatileDropped
        metrics.gaps += other.gaps
    }
}
