import WSFrame

/// Messages for one session alone that its connection does not take yet; they go before its topics'.
///
/// Exists only while something waits in it.
struct Outbox {
    /// What became of a message.
    enum OnAppend: Hashable {
        /// It waits.
        case queued
        /// It was dropped.
        case dropped
        /// The session has to be closed.
        case overflow
    }

    private var waiting = Ring<PreparedMessage>()
    private(set) var bytes = 0
    private(set) var dropped = 0

    var isEmpty: Bool { waiting.isEmpty }
    var count: Int { waiting.count }

    /// Takes a message within `limits`.
    mutating func append(_ message: PreparedMessage, _ limits: UnicastLimits) -> OnAppend {
        let count = message.bytes.count
        while !waiting.isEmpty,
            waiting.count >= limits.messagesMax || bytes + count > limits.bytesMax
        {
            switch limits.overflow {
            case .dropNewest:
                dropped += 1
                return .dropped
            case .dropOldest:
                dropped += 1
                bytes -= waiting.popFirst()?.bytes.count ?? 0
            case .close:
                return .overflow
            }
        }
        waiting.append(message)
        bytes += count
        return .queued
    }

    mutating func popFirst() -> PreparedMessage? {
        guard let first = waiting.popFirst() else { return nil }
        bytes -= first.bytes.count
        return first
    }
}

/// Bounds of what waits for one session alone; its topics' messages are bounded by their topics.
public struct UnicastLimits: Hashable, Sendable {
    /// What happens to a message for which there is no room.
    public enum Overflow: Hashable, Sendable {
        /// It is dropped.
        case dropNewest
        /// Those that have waited longest are dropped.
        case dropOldest
        /// The session is closed with `CloseCode.tryAgainLater`.
        case close
    }

    /// Messages that may wait. Default 256.
    public var messagesMax = 256
    /// Bytes that may wait; a single message may be larger. Default 1 MiB.
    public var bytesMax = 1 << 20
    /// What happens beyond. Default ``Overflow/close``: nothing is lost in silence.
    public var overflow = Overflow.close

    /// Creates the defaults.
    public init() {}
}
