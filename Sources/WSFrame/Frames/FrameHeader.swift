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

    /// FIN and the opcode, as they go on the wire.
    @inlinable
    var firstByte: UInt8 { opcode.rawValue & 0xF | (isFinal ? 0x80 : 0) }

    /// Whether two bytes hold all of it.
    @inlinable
    var isShortest: Bool { maskingKey == nil && (0..<126).contains(payloadBytes) }
}
