/// What became of one write.
public enum WriteOutcome: Hashable, Sendable {
    /// The bytes are queued or sent.
    case accepted
    /// The bytes are queued, and the queue is above ``Connection/Limits/highWatermark``; stop until
    /// ``ConnectionHandler/fellBelowLowWatermark(_:)``.
    case aboveHighWatermark
    /// The bytes would pass ``Connection/Limits/sendQueueBytesMax`` and were not taken
    /// (``Connection/OverflowPolicy/refuse``).
    case refused
    /// The connection is closed or closing; the bytes were not taken.
    case closed
}
