/// The first bytes of a frame header that the end of an input cut off, held inline.
struct HeaderPrefix: Hashable, Sendable {
    private var low: UInt64 = 0
    private var middle: UInt32 = 0
    private var high: UInt16 = 0
    private(set) var count: UInt8 = 0

    subscript(offset: Int) -> UInt8 {
        switch offset {
        case 0..<8: UInt8(truncatingIfNeeded: low >> (offset * 8))
        case 8..<12: UInt8(truncatingIfNeeded: middle >> ((offset - 8) * 8))
        default: UInt8(truncatingIfNeeded: high >> ((offset - 12) * 8))
        }
    }

    mutating func append(_ byte: UInt8) {
        let offset = Int(count)
        assert(offset < FrameHeader.bytesMax, "header prefix of \(offset) bytes is full")
        switch offset {
        case 0..<8: low |= UInt64(byte) << (offset * 8)
        case 8..<12: middle |= UInt32(byte) << ((offset - 8) * 8)
        default: high |= UInt16(byte) << ((offset - 12) * 8)
        }
        count += 1
    }
}
