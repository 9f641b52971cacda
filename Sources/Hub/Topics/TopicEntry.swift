import Synchronization
import WSFrame

/// A message in a topic's order, shared by all loops and subscribers.
final class TopicEntry: Sendable {
    enum Content: Sendable {
        /// Framed by each receiver's protocol.
        case message(HubMessage)
        /// Said by the hub itself, in each receiver's protocol.
        case notice(ServerEnvelope)
        /// The same bytes for all.
        case prepared(PreparedMessage)
    }

    private enum Frame {
        case missing
        /// Encoded; `nil` where the protocol has no word for it.
        case made(PreparedMessage?)
    }

    let content: Content
    let topic: String
    /// The topic's position when the message had taken its place.
    let position: TopicPosition
    /// Whether it has that place; otherwise it came after the message there.
    let isStored: Bool
    let isVolatile: Bool
    let key: ExactName?
    let bytes: Int
    /// When it took its place.
    let time: Timestamp
    private let frames: Mutex<[Frame]>

    init(
        _ publication: Publication, topic: String, position: TopicPosition, time: Timestamp,
        protocols: Int
    ) {
        self.time = time
        content = publication.content(offset: position.offset)
        self.topic = topic
        self.position = position
        isStored = publication.durability == .stored
        isVolatile = publication.durability == .volatile
        key = publication.key.map(ExactName.init)
        bytes = publication.bytes
        switch content {
        case .message, .notice: frames = Mutex(Array(repeating: .missing, count: protocols))
        case .prepared: frames = Mutex([])
        }
    }

    /// The frame for clients of a protocol, which the first who asks encodes; `nil` where they are
    /// told nothing.
    func frame(for index: Int, of protocols: [any ClientProtocol]) -> PreparedMessage? {
        switch content {
        case .prepared(let message):
            return message
        case .message(let message):
            return frame(
                of: .publication(topic: topic, message, position: isStored ? position : nil),
                for: index, protocols)
        case .notice(let envelope):
            return frame(of: envelope, for: index, protocols)
        }
    }

    private func frame(
        of envelope: @autoclosure () -> ServerEnvelope, for index: Int,
        _ protocols: [any ClientProtocol]
    ) -> PreparedMessage? {
        // Loops that ask meanwhile wait: it is encoded once.
        frames.withLock { frames in
            if case .made(let frame) = frames[index] { return frame }
            let frame = protocols[index].encode(envelope())
            frames[index] = .made(frame)
            return frame
        }
    }

    /// The message as a history tells it.
    var stored: StoredMessage {
        let message =
            switch content {
            case .message(let message): message
            case .prepared(let frame):
                HubMessage(Payload(copying: frame.payload.bytes, kind: frame.kind))
            case .notice: HubMessage(text: "")
            }
        return StoredMessage(offset: position.offset, time: time, message: message)
    }
}
