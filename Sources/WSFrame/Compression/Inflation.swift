/// What a connection holds while a compressed message arrives and until it is delivered.
final class Inflation {
    /// The pieces in which messages are delivered that are not delivered whole.
    static let pieceBytes = 16 << 10

    var output = GrowingBuffer()
    var kind = MessageKind.binary
    var utf8 = UTF8Validator()
    /// The compressed bytes of the message so far.
    var wireBytes = 0
    /// The headers of its frames so far.
    var headerBytes = 0
    /// What they inflated to.
    var inflatedBytes = 0
    /// How much of what a sender leaves out was put back (RFC 7692 §7.2.2), once the last frame is
    /// complete; `nil` before.
    var tailBytes: Int?
    /// Whether all of the message is inflated.
    var isComplete = false
    /// Whether what is in ``output`` was handed to the driver.
    var isDelivered = false
    /// The pool's count when it was last used.
    var round: UInt32 = 0

    init() {
        _ = output.room(for: 4 << 10)
    }

    /// Forgets the message, and keeps the memory.
    func end() {
        output.removeAll()
        utf8 = UTF8Validator()
        wireBytes = 0
        headerBytes = 0
        inflatedBytes = 0
        tailBytes = nil
        isComplete = false
        isDelivered = false
    }
}
