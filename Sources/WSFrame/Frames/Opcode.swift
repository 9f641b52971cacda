/// What a frame carries (RFC 6455 §5.2, §11.8).
///
/// Any of the sixteen values can appear on the wire; the reserved ones are refused by
/// ``FrameDecoder``.
public struct Opcode: RawRepresentable, Hashable, Sendable {
    /// Continues a fragmented message.
    public static let continuation = Opcode(rawValue: 0x0)
    public static let text = Opcode(rawValue: 0x1)
    public static let binary = Opcode(rawValue: 0x2)
    public static let close = Opcode(rawValue: 0x8)
    public static let ping = Opcode(rawValue: 0x9)
    public static let pong = Opcode(rawValue: 0xA)

    public let rawValue: UInt8

    @inlinable
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Whether frames of this opcode control the connection: never fragmented, at most 125 bytes
    /// (RFC 6455 §5.5).
    public var isControl: Bool { rawValue & 0x8 != 0 }

    /// Whether RFC 6455 gives the opcode no meaning: 0x3–0x7 and 0xB–0xF.
    public var isReserved: Bool { rawValue & 0x7 > 2 }
}
