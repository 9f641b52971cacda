import NetPoll

/// How fast one client may send; what it sends beyond is dropped and answered
/// ``FailureCode/rateLimited``, and a client that goes on all the same is closed with
/// `CloseCode.tooMany`.
public struct SessionRate: Hashable, Sendable {
    /// Messages a second, at least 1. Default 50.
    public var messagesPerSecond = 50
    /// Messages at once, at least 1. Default 200.
    public var messagesBurst = 200
    /// Bytes of messages a second, at least 1. Default 64 KiB.
    public var bytesPerSecond = 64 << 10
    /// Bytes of messages at once; a larger message is never taken. Default 256 KiB.
    public var bytesBurst = 256 << 10

    /// Creates the defaults.
    public init() {}
}

/// What one client has sent lately.
struct SessionMeter {
    private var messages: TokenBucket
    private var bytes: TokenBucket

    init(_ rate: SessionRate) {
        messages = TokenBucket(perSecond: rate.messagesPerSecond, burst: rate.messagesBurst)
        bytes = TokenBucket(perSecond: rate.bytesPerSecond, burst: rate.bytesBurst)
    }

    /// Counts a message; the worse of what both limits say.
    mutating func take(bytes count: Int, at now: Instant) -> TokenBucket.Outcome {
        switch (messages.take(at: now), bytes.take(count, at: now)) {
        case (.exhausted, _), (_, .exhausted): .exhausted
        case (.allowed, .allowed): .allowed
        case (.limited(let one), .limited(let other)): .limited(retryAfter: max(one, other))
        case (.limited(let wait), .allowed), (.allowed, .limited(let wait)):
            .limited(retryAfter: wait)
        }
    }
}
