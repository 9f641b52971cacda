/// The fields of a frame before its payload (RFC 6455 §5.2).
public struct FrameHeader: Hashable, Sendable {
    /// The most bytes a header takes: 2, the 64-bit length, and the masking key.
    public static let bytesMax = 14

    /// Whether this is the last frame of its message; always so for control frames.
    public let isFinal: Bool
    public let opcode: Opcode
    public let payloadBytes: Int
    /// The key the payload is masked with, or `nil` if it is not masked.
    public let maskingKey: MaskingKey?

    public init(
        isFinal: Bool = true,
        opcode: Opcode,
        payloadBytes: Int,
        maskingKey: MaskingKey? = nil
    ) {
        self.isFinal = isFinal
        self.opcode = opcode
        self.payloadBytes = payloadBytes
        self.maskingKey = maskingKey
    }
}
