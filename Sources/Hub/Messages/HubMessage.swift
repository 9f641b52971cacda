/// A message as the hub knows it: before a ``ClientProtocol`` frames it for a client, and after one
/// has read it from a client.
///
/// Brokers and stores carry every field unchanged.
public struct HubMessage: Hashable, Sendable {
    /// The name by which receivers choose what to do; `nil` for a raw message.
    public var event: String?
    /// What it carries.
    public var payload: Payload
    /// The user it is from, where the application tells.
    public var sender: String?
    /// Of messages with the same key only the latest matters: a subscriber that fell behind may be
    /// given that one alone, where the topic conflates.
    public var key: String?

    /// Creates a message.
    public init(
        _ payload: Payload, event: String? = nil, sender: String? = nil, key: String? = nil
    ) {
        self.event = event
        self.payload = payload
        self.sender = sender
        self.key = key
    }

    /// Creates a raw message of text.
    public init(text: String) {
        self.init(Payload(text: text))
    }

    /// Bytes that it is counted as against limits: those of its payload and of its names.
    public var bytes: Int {
        payload.bytes.count + (event?.utf8.count ?? 0) + (sender?.utf8.count ?? 0)
            + (key?.utf8.count ?? 0)
    }
}
