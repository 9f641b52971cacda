/// Bytes that are not MessagePack, or more than the limits allow.
public struct MessagePackError: Error, Hashable, Sendable {
    /// What is wrong.
    public enum Reason: Hashable, Sendable {
        /// The byte 0xc1, which no format uses.
        case reservedFormat
        /// Arrays and maps within each other, more than ``MessagePackReader/Limits/depthMax``.
        case oversizedDepth(limit: Int)
        /// A value with more elements than ``MessagePackReader/Limits/elementsMax``.
        case oversizedCount(limit: Int)
        /// Text, bytes or an extension of more than ``MessagePackReader/Limits/bytesMax``.
        case oversizedBytes(announced: Int, limit: Int)
        /// The input ends within a value.
        case truncated
        /// Bytes after the value.
        case trailingBytes
        /// A timestamp of another length than 4, 8 or 12, or of a second's length and more.
        case invalidTimestamp
    }

    public let reason: Reason
    /// Where in the input: the first byte of the token that is wrong.
    public let offset: Int

    init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

extension MessagePackError: CustomStringConvertible {
    public var description: String {
        let what =
            switch reason {
            case .reservedFormat: "0xc1 is no format"
            case .oversizedDepth(let limit): "nested deeper than \(limit)"
            case .oversizedCount(let limit): "more than \(limit) elements"
            case .oversizedBytes(let announced, let limit):
                "\(announced) bytes exceed \(limit)"
            case .truncated: "the input ends within a value"
            case .trailingBytes: "bytes after the value"
            case .invalidTimestamp: "not a timestamp"
            }
        return "\(what), at byte \(offset)"
    }
}
