/// What ``ServerProtocol/next(in:at:)`` found.
public enum ProtocolEvent: Hashable, Sendable {
    /// A whole message; text is valid UTF-8.
    case message(MessageKind, Payload)
    /// A piece of a message; only with ``ProtocolConfiguration/Delivery/pieces``.
    case piece(MessagePiece)
    /// Answer with a pong of the same payload, also behind a close frame of this side (RFC 6455 §5.5.2);
    /// only the latest needs one (RFC 6455 §5.5.3).
    case ping(Payload)
    /// A pong; none need have been asked for.
    case pong(Payload)
    /// The peer's close frame; nothing of the peer follows.
    case close(PeerClose)

    /// Where a payload lies.
    public enum Payload: Hashable, Sendable {
        /// At this range of the input, already unmasked there.
        case input(Range<Int>)
        /// In the protocol's own buffer until the next call of ``ServerProtocol/next(in:at:)``;
        /// read it with ``ServerProtocol/withPayload(_:in:_:)``.
        case kept
    }

    /// What has come of a message since its last piece.
    ///
    /// Text is valid UTF-8 over all pieces; one of them may end inside a character.
    public struct MessagePiece: Hashable, Sendable {
        public let kind: MessageKind
        /// At least one byte, but for the last piece, which may be empty.
        public let payload: Payload
        /// Whether the message begins here.
        public let isFirst: Bool
        /// Whether the message ends here.
        public let isLast: Bool
    }

    /// A close frame of the peer (RFC 6455 §5.5.1).
    public struct PeerClose: Hashable, Sendable {
        /// The UTF-8 reason.
        public let reason: Payload
        /// The code, or `nil` if the frame had none.
        public let code: CloseCode?
        /// What to do now.
        public let action: CloseHandshake.OnCloseReceived
    }
}
