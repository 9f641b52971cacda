/// Names one call of one table: a slot that is used again has another generation.
struct CallKey: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
}

/// Who started a call.
enum CallSide: Hashable, Sendable {
    /// This side: it waits for the answer.
    case outgoing
    /// The peer: it is answered here.
    case incoming
}

/// Which sides of a call send a stream of messages.
public enum CallShape: Hashable, Sendable {
    case unary
    case clientStreaming
    case serverStreaming
    case bidirectional

    /// Whether the caller sends a stream.
    public var clientStreams: Bool { self == .clientStreaming || self == .bidirectional }
    /// Whether the called side sends a stream.
    public var serverStreams: Bool { self == .serverStreaming || self == .bidirectional }
}

/// What is known of one call; one entry of a ``CallTable``.
struct CallEntry {
    struct Flags: OptionSet {
        let rawValue: UInt16
        /// Opened here, and not sent for want of room.
        static let waiting = Flags(rawValue: 1 << 0)
        /// Data frames have no place in it.
        static let unary = Flags(rawValue: 1 << 1)
        /// This side sends no more.
        static let localClosed = Flags(rawValue: 1 << 2)
        /// The peer sends no more.
        static let remoteClosed = Flags(rawValue: 1 << 3)
        /// Its data are counted against credit.
        static let credited = Flags(rawValue: 1 << 4)
        /// Given up; its handler may still run.
        static let cancelled = Flags(rawValue: 1 << 5)
        /// Nobody waits for an answer.
        static let oneWay = Flags(rawValue: 1 << 6)

        // Constants, because a literal of several options allocates where the optimiser does not
        // see through it.

        /// A unary call of the peer's: all that it sends is there.
        static let servedUnary = Flags(rawValue: 1 << 1 | 1 << 3)
        /// Either of these: nobody waits for an answer.
        static let unanswered = Flags(rawValue: 1 << 5 | 1 << 6)
        /// Either of these: no data of the peer's are due.
        static let takesNoData = Flags(rawValue: 1 << 1 | 1 << 3)
        /// Any of these: no data are sent.
        static let sendsNoData = Flags(rawValue: 1 << 1 | 1 << 2 | 1 << 5)
        /// Either of these: this side's end was said, or is of no interest.
        static let isEnded = Flags(rawValue: 1 << 2 | 1 << 5)
    }

    /// 0 while it waits or is free.
    var id: UInt32 = 0
    var generation: UInt32 = 0
    /// The next free or waiting entry.
    var next: UInt32 = .max
    var flags: Flags = []
    var isUsed = false
    /// Nanoseconds on the caller's clock; `.max`: none.
    var deadline: Int64 = .max
    /// What may still be sent; below 0 after a message longer than what was left.
    var sendCredit = 0
    /// What the peer may still send.
    var receiveCredit = 0
    /// What was consumed here and not given back yet.
    var consumed = 0
}
