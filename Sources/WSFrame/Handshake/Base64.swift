/// Base64 with padding (RFC 4648 §4), as the opening handshake uses it.
package enum Base64 {
    package static func encode(_ bytes: [UInt8]) -> [UInt8] { encode(bytes.span.bytes) }

    package static func encode(_ bytes: RawSpan) -> [UInt8] {
        let count = bytes.byteCount
        var text: [UInt8] = []
        text.reserveCapacity((count + 2) / 3 * 4)
        // unsafe: what is loaded lies within `bytes`.
        func byte(_ offset: Int) -> UInt32 {
            UInt32(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
        for offset in stride(from: 0, to: count, by: 3) {
            let left = count - offset
            let second = left > 1 ? byte(offset + 1) : 0
            let group = byte(offset) << 16 | second << 8 | (left > 2 ? byte(offset + 2) : 0)
            text.append(digit(group >> 18))
            text.append(digit(group >> 12 & 0x3F))
            text.append(left > 1 ? digit(group >> 6 & 0x3F) : padding)
            text.append(left > 2 ? digit(group & 0x3F) : padding)
        }
        return text
    }

    private static var padding: UInt8 { 0x3D }

    private static var digits: StaticString {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    }

    /// unsafe: `value` is below 64.
    @inline(__always)
    private static func digit(_ value: UInt32) -> UInt8 { digits.utf8Start[Int(value)] }

    /// Whether `text` decodes to exactly 16 bytes: 22 digits and two paddings.
    static func isSixteenBytes(_ text: UnsafeRawBufferPointer) -> Bool {
        text.count == 24 && text[22] == 0x3D && text[23] == 0x3D
            && text.prefix(22).allSatisfy(isDigit)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        // One bit for each of the 128 ASCII values.
        let word: UInt64 = byte < 64 ? 0x03FF_8800_0000_0000 : 0x07FF_FFFE_07FF_FFFE
        return byte < 128 && (word &>> UInt64(byte & 63)) & 1 != 0
    }
}
