public import WSFrame

/// A message for a topic: as the hub knows it, for each receiver's protocol to frame, or encoded for
/// all receivers alike but for its offset, which it gets when it takes its place in the topic.
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
    /// Of messages with the same key only the latest matters to a subscriber that fell behind, where
    /// the topic's ``SlowSubscriberPolicy`` is to conflate.
    public let key: String?

    /// Names the publication, so that it may be tried again: one with the same key that came less
    /// than five minutes ago is not published again, and answered with its position.
    ///
    /// A topic remembers the last ``HubConfiguration/TopicLimits/idempotencyKeysMax`` of them; that of
    /// a volatile publication is passed over.
    public var idempotencyKey: String?

    /// The key to remember.
    var repeatKey: String? { durability == .volatile ? nil : idempotencyKey }

    private enum Body {
        case message(HubMessage)
        case notice(ServerEnvelope)
        case prepared(PreparedMessage)
        case template([UInt8], kind: MessageKind, offsetAt: Int)
    }

    private let body: Body

    /// Creates a publication that is encoded once for each protocol that subscribers speak.
    public init(_ message: HubMessage, durability: Durability = .stored) {
        body = .message(message)
        self.durability = durability
        key = message.key
    }

    /// Creates a notice of who came and went.
    init(presence changes: PresenceChanges, in topic: String) {
        body = .notice(.presence(topic: topic, changes))
        durability = .transient
        key = nil
    }

    /// Creates a publication of a message encoded before, which all subscribers get as it is.
    public init(
        _ message: PreparedMessage, durability: Durability = .stored, key: String? = nil
    ) {
        body = .prepared(message)
        self.durability = durability
        self.key = key
    }

    /// Creates a publication of text, which all subscribers get as it is.
    public init(text: String, durability: Durability = .stored) {
        self.init(PreparedMessage(text: text), durability: durability)
    }

    /// Creates a stored publication that tells its receivers its offset.
    ///
    /// The offset is written in decimal digits, padded with spaces on its left: a form that JSON and
    /// most text formats read as a number.
    ///
    /// Where several nodes publish to the topic, or its store was told to forget it, a durable store
    /// may keep the message with an offset that it was about to get; who subscribes is told the right one.
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
        key = nil
    }

    /// Creates a notice that messages before the one at `position` are missing.
    init(gapBefore position: TopicPosition, in topic: String) {
        let known = TopicPosition(epoch: position.epoch, offset: position.offset - 1)
        body = .notice(.subscribed(.init(topic: topic, position: known, isRecovered: false)))
        durability = .transient
        key = nil
    }

    /// Whether its offset is written into the message.
    var tellsOffset: Bool {
        if case .template = body { return true }
        return false
    }

    /// The message, unless it was encoded before.
    public var message: HubMessage? {
        if case .message(let message) = body { return message }
        return nil
    }

    /// Bytes of the payload, and of names where it has them.
    var bytes: Int {
        switch body {
        case .message(let message): message.bytes
        case .notice: 256
        case .prepared(let message): message.payload.count
        case .template(let bytes, _, _): bytes.count
        }
    }

    /// The message as a store keeps it. One that was encoded before is kept as its bytes, and framed
    /// by the receivers' protocols when it has been read again.
    func stored(offset: UInt64) -> HubMessage {
        switch content(offset: offset) {
        case .message(let message): return message
        case .prepared(let frame):
            let payload = Payload(copying: frame.payload.bytes, kind: frame.kind)
            return HubMessage(payload, key: key)
        case .notice: return HubMessage(text: "")
        }
    }

    /// What takes its place in the topic, with `offset` where it tells it.
    func content(offset: UInt64) -> TopicEntry.Content {
        switch body {
        case .message(let message):
            return .message(message)
        case .notice(let envelope):
            return .notice(envelope)
        case .prepared(let message):
            return .prepared(message)
        case .template(var bytes, let kind, let offsetAt):
            var rest = offset
            var index = offsetAt + Self.offsetBytes
            repeat {
                index -= 1
                bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            return .prepared(PreparedMessage(bytes.span.bytes, kind: kind))
        }
    }
}

/// What became of a publication.
public enum PublishOutcome: Hashable, Sendable {
    /// It is in the topic's order and on its way; of a stored one, `position` is where it stands.
    case published(TopicPosition?)
    /// The durable store has to have it first; it takes its place then. What the store cannot take
    /// nobody gets: ``Topic/publishStored(_:)`` tells.
    case accepted
    /// A loop is further behind than ``HubConfiguration/TopicLimits/undeliveredMessagesMax`` allows;
    /// the message was not taken.
    case overloaded
}
