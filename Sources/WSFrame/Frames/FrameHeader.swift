/// The fields of a frame before its payload (RFC 6455 §5.2).
public struct FrameHeader: Hashable, Sendable {
    /// The most bytes a header takes: 2, the 64-bit length, and the masking key.
    @inlinable
    public static var bytesMax: Int { 14 }

    /// Whether this is the last frame of its message; always so for control frames.
    public let isFinal: Bool
    /// Whether this is the first frame of a compressed message: the bit RSV1 (RFC 7692 §6).
    public let isCompressed: Bool
    public let opcode: Opcode
    public let payloadBytes: Int
    /// The key the payload is masked with, or `nil` if it is not masked.
    public let maskingKey: MaskingKey?

    @inlinable
    public init(
        isFinal: Bool = true,
        isCompressed: Bool = false,
        opcode: Opcode,
        payloadBytes: Int,
        maskingKey: MaskingKey? = nil
    ) {
        self.isFinal = isFinal
        self.isCompressed = isCompressed
        self.opcode = opcode
        self.payloadBytes = payloadBytes
        self.maskingKey = maskingKey
    }

    /// FIN, RSV1 and the opcode, as they go on the wire.
    @inlinable
    var firstByte: UInt8 {
        opcode.rawValue & 0xF | (isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0)
    }

    /// Whether two bytes hold all of it.
    @inlinable
    var isShortest: Bool { maskingKey == nil && (0..<126).contains(payloadBytes) }

    /// How many bytes it takes on the wire.
    var encodedBytes: Int {
        FrameEncoder.headerBytes(
            payloadBytes: payloadBytes, role: maskingKey == nil ? .server : .client)
    }
}
