/// The peer broke the protocol in a way that leaves nothing to go on with: the connection is
/// closed.
///
/// What only spoils one call is answered on that call instead.
struct ProtocolViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// The rule that was broken.
    enum Reason: Hashable, Sendable {
        /// A frame announced this many bytes, 16 MiB or more (ttrpc 1.2 PROTOCOL.md, "Message
        /// Format": the first byte of the length is always 0).
        case implausibleLength(Int)
        /// The data of a frame of this type are not what the type says.
        case malformedFrame(type: UInt8)
        /// A frame of this type came although no extensions were negotiated, or on a stream where
        /// it has no meaning.
        case unexpectedFrame(type: UInt8)
        /// The peer sent more than the credit it was given.
        case creditExceeded
        /// The peer gave more credit than can be counted.
        case creditOverflow
        /// More messages are arriving in pieces than this side said it takes.
        case tooManyPartialMessages
    }

    /// The rule that was broken.
    let reason: Reason

    init(_ reason: Reason) {
        self.reason = reason
    }

    var description: String {
        switch reason {
        case .implausibleLength(let bytes): "a frame announced \(bytes) bytes"
        case .malformedFrame(let type): "the data of a frame of type \(type) are malformed"
        case .unexpectedFrame(let type): "a frame of type \(type) was not to come here"
        case .creditExceeded: "the peer sent more than its credit"
        case .creditOverflow: "the peer gave more credit than can be counted"
        case .tooManyPartialMessages: "more messages arrive in pieces than are taken"
        }
    }
}
