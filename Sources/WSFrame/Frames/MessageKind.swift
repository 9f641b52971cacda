/// The two kinds of message (RFC 6455 §5.6).
public enum MessageKind: UInt8, Hashable, Sendable {
    /// UTF-8 text; a message that is not valid UTF-8 is never delivered.
    case text = 1
    /// Bytes without meaning to the protocol.
    case binary = 2

    /// The opcode of the message's first frame.
    public var opcode: Opcode { Opcode(rawValue: rawValue) }
}
