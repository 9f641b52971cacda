/// Names one life of a topic; offsets of different epochs must not be compared.
///
/// A topic gets a new epoch whenever its history cannot be continued: when it is made, and when it
/// is made again after it was forgotten.
public struct Epoch: RawRepresentable, Hashable, Sendable, LosslessStringConvertible {
    private static let radix = 36

    public let rawValue: UInt64

    /// Creates the epoch of that number, for example one that was stored.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Parses what ``description`` gave.
    public init?(_ description: String) {
        guard let rawValue = UInt64(description, radix: Self.radix) else { return nil }
        self.rawValue = rawValue
    }

    /// At most 13 characters, lower-case letters and digits.
    public var description: String { String(rawValue, radix: Self.radix) }

    static func random() -> Epoch {
        Epoch(rawValue: UInt64.random(in: 1...UInt64.max))
    }
}

/// A place in a topic's history: just after the message with ``offset``.
public struct TopicPosition: Hashable, Sendable {
    /// The life of the topic that ``offset`` counts in.
    public var epoch: Epoch
    /// How many messages the topic had stored; the first has offset 1.
    public var offset: UInt64

    /// Creates a position, for example from what a client remembers.
    public init(epoch: Epoch, offset: UInt64) {
        self.epoch = epoch
        self.offset = offset
    }
}
