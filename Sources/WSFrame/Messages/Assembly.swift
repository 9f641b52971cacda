/// What a connection holds while a message or a frame is incomplete; made on demand.
final class Assembly {
    enum Progress {
        case none
        case collecting
        /// Complete and handed to the driver, which may read it until it asks for the next event.
        case delivered
    }

    /// Whether nothing is incomplete: only its memory is kept.
    var isSpare = false

    /// The decoder of a frame that the end of the input cut.
    var cutDecoder: FrameDecoder?

    var message = GrowingBuffer()
    var messageProgress = Progress.none
    var kind = MessageKind.binary
    /// The frames of the message so far.
    var fragments = 0
    /// Whether the message is compressed; then ``DeflateCodec`` collects it.
    var isCompressed = false
    /// The bytes of its frames' headers so far.
    var headerBytes = 0
    var utf8 = UTF8Validator()
    /// The bytes of the message handed on in pieces, and not kept.
    var passedOnBytes = 0
    /// Whether a piece of the message was handed on.
    var isPassedOn = false

    /// The payload of a control frame, which may come between the frames of a message.
    var control = GrowingBuffer()
    var controlProgress = Progress.none
    /// How much of the control payload the driver is not to see: a close frame's code.
    var controlSkipped = 0
}
