/// The peer broke RFC 6455, RFC 7692 or a limit; fail the connection with ``closeCode`` (RFC 6455 §7.1.7).
public struct ProtocolViolation: Error, Hashable, Sendable {
    /// The rule that was broken.
    public enum Reason: Hashable, Sendable {
        /// A reserved bit is set though no extension gives it a meaning (RFC 6455 §5.2).
        case reservedBits
        /// Opcodes 0x3–0x7 and 0xB–0xF are reserved (RFC 6455 §5.2).
        case reservedOpcode(Opcode)
        /// Control frames must not be fragmented (RFC 6455 §5.5).
        case fragmentedControlFrame
        /// The payload of a control frame is at most 125 bytes (RFC 6455 §5.5).
        case oversizedControlFrame
        /// A client must mask every frame (RFC 6455 §5.1).
        case unmaskedFrame
        /// A server must not mask any frame (RFC 6455 §5.1).
        case maskedFrame
        /// A length must be written in the fewest bytes (RFC 6455 §5.2).
        case nonMinimalLength
        /// The top bit of a 64-bit length must be zero (RFC 6455 §5.2).
        case lengthOverflow
        /// A continuation frame came though no message was begun (RFC 6455 §5.4).
        case unexpectedContinuation
        /// A new message came though the last one was not finished (RFC 6455 §5.4).
        case unfinishedMessage
        /// A text message is not UTF-8 (RFC 6455 §8.1).
        case invalidText
        /// A close frame's payload is empty or begins with a two-byte code (RFC 6455 §5.5.1).
        case truncatedCloseCode
        /// The code must not stand in a close frame (RFC 6455 §7.4).
        case invalidCloseCode(CloseCode)
        /// The reason in a close frame is not UTF-8 (RFC 6455 §5.5.1).
        case invalidCloseReason
        /// A frame is longer than ``ProtocolLimits/framePayloadBytesMax``.
        case oversizedFrame(bytes: UInt64, max: Int)
        /// A message is longer than ``ProtocolLimits/messageBytesMax``.
        case oversizedMessage(bytes: UInt64, max: Int)
        /// A compressed message is no DEFLATE data, or ends within a block (RFC 7692 §7.2.2).
        case invalidCompression
        /// A compressed message inflates to more than ``ProtocolLimits/inflationRatioMax`` times
        /// its bytes.
        case excessiveInflation(max: Int)
        /// A message takes more bytes beside what it says than
        /// ``ProtocolLimits/bookkeepingBytesMax``.
        case excessiveBookkeeping(max: Int)
        /// A message has more frames than ``ProtocolLimits/fragmentsMax``.
        case excessiveFragments(max: Int)
        /// One input holds more control frames than ``ProtocolLimits/controlFramesPerInputMax``.
        case excessiveControlFrames(max: Int)
        /// One second holds more control frames than ``ProtocolLimits/controlFramesPerSecondMax``.
        case excessiveControlFrameRate(max: Int)
    }

    public let reason: Reason

    public init(_ reason: Reason) {
        self.reason = reason
    }

    /// The status to put in the close frame (RFC 6455 §7.4.1).
    public var closeCode: CloseCode {
        switch reason {
        case .reservedBits, .reservedOpcode, .fragmentedControlFrame, .oversizedControlFrame,
            .unmaskedFrame, .maskedFrame, .nonMinimalLength, .lengthOverflow,
            .unexpectedContinuation, .unfinishedMessage, .truncatedCloseCode, .invalidCloseCode:
            .protocolError
        case .invalidText, .invalidCloseReason, .invalidCompression:
            .invalidPayload
        case .oversizedFrame, .oversizedMessage, .excessiveInflation:
            .messageTooBig
        case .excessiveFragments, .excessiveControlFrames, .excessiveControlFrameRate,
            .excessiveBookkeeping:
            .policyViolation
        }
    }
}

extension ProtocolViolation: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .reservedBits: "reserved bit set in a frame header"
        case .reservedOpcode(let opcode): "reserved opcode \(opcode.rawValue)"
        case .fragmentedControlFrame: "fragmented control frame"
        case .oversizedControlFrame: "control frame of more than 125 bytes"
        case .unmaskedFrame: "frame of a client is not masked"
        case .maskedFrame: "frame of a server is masked"
        case .nonMinimalLength: "payload length not in its shortest form"
        case .lengthOverflow: "payload length with its top bit set"
        case .unexpectedContinuation: "continuation frame outside a message"
        case .unfinishedMessage: "new message inside a fragmented one"
        case .invalidText: "text message is not UTF-8"
        case .truncatedCloseCode: "close frame with a payload of 1 byte"
        case .invalidCloseCode(let code): "close code \(code) is not allowed on the wire"
        case .invalidCloseReason: "close reason is not UTF-8"
        case .invalidCompression: "compressed message is not DEFLATE data"
        case .excessiveInflation(let max): "message inflates to more than \(max) times its bytes"
        case .excessiveBookkeeping(let max): "message with more than \(max) bytes beside it"
        case .oversizedFrame(let bytes, let max): "frame of \(bytes) bytes exceeds \(max)"
        case .oversizedMessage(let bytes, let max): "message of \(bytes) bytes exceeds \(max)"
        case .excessiveFragments(let max): "message of more than \(max) frames"
        case .excessiveControlFrames(let max): "more than \(max) control frames in one input"
        case .excessiveControlFrameRate(let max): "more than \(max) control frames in one second"
        }
    }
}
