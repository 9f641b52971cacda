public import NetPoll
public import WSFrame

/// A message that a task was given; a value that may be kept and sent anywhere.
///
/// Messages that arrived together share their memory, which the loop uses again once all of them
/// were let go of: taking one message after another allocates nothing.
public struct WebSocketMessage: Sendable {
    /// Text or binary.
    public let kind: MessageKind
    /// The payload; of text it is valid UTF-8.
    public let bytes: ReceivedBytes

    /// The text of a text message; `nil` of a binary one.
    public var text: String? {
        kind == .text ? String(decoding: bytes, as: UTF8.self) : nil
    }
}
