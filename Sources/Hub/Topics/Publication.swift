public import WSFrame

/// A message for a topic, encoded for its receivers but for its offset, which it gets when it takes
/// its place in the topic.
public struct Publication: Sendable {
    /// How a topic treats a message.
    public enum Durability: Hashable, Sendable {
        /// It gets an offset and enters the history.
        case stored
        /// Only those who are subscribed now see it; it has no offset.
        case transient
        /// As transient, and subscribers under pressure do without it.
        case volatile
    }

    /// Bytes that an offset takes where it is written into the message.
    public static let offsetBytes = 20

    /// What is written before the message is published where its offset will be.
    public static let offsetPlaceholder = String(repeating: " ", count: offsetBytes)

    /// Whether the topic keeps it.
    public let durability: Durability

    private enum Body {
        case prepared(PreparedMessage)
        case template([UInt8], kind: MessageKind, offsetAt: Int)
    }

    private let body: Body

    /// Creates a publication of a message encoded before.
    public init(_ message: PreparedMessage, durability: Durability = .stored) {
        body = .prepared(message)
        self.durability = durability
    }

    /// Creates a publication of text.
    public init(text: String, durability: Durability = .stored) {
        self.init(PreparedMessage(text: text), durability: durability)
    }

    /// Creates a stored publication that tells its receivers its offset.
    ///
    /// The offset is written in decimal digits, padded with spaces on its left: a form that JSON and
    /// most text formats read as a number.
    ///
    /// - Parameters:
    ///   - template: The message, with ``offsetPlaceholder`` where the offset shall be.
    ///   - kind: Text or binary.
    ///   - offsetAt: Where in `template` the placeholder begins.
    public init(template: [UInt8], kind: MessageKind, offsetAt: Int) {
        precondition(
            offsetAt >= 0 && offsetAt + Self.offsetBytes <= template.count,
            "offset at \(offsetAt) does not fit into \(template.count) bytes")
        body = .template(template, kind: kind, offsetAt: offsetAt)
        durability = .stored
    }

    /// Bytes of the payload.
    var bytes: Int {
        switch body {
        case .prepared(let message): message.payload.count
        case .template(let bytes, _, _): bytes.count
        }
    }

    /// The frame to send, with `offset` in its place.
    func encoded(offset: UInt64) -> PreparedMessage {
        switch body {
        case .prepared(let message):
            return message
        case .template(var bytes, let kind, let offsetAt):
            var rest = offset
            var index = offsetAt + Self.offsetBytes
            repeat {
                index -= 1
                bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            return PreparedMessage(bytes.span.bytes, kind: kind)
        }
    }
}

/// What became of a publication.
public enum PublishOutcome: Hashable, Sendable {
    /// It is in the topic's order and on its way; of a stored one, `position` is where it stands.
    case published(TopicPosition?)
    /// A loop is further behind than ``HubConfiguration/TopicLimits/undeliveredMessagesMax`` allows;
    /// the message was not taken.
    case overloaded
}
