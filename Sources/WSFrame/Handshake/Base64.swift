/// Base64 with padding (RFC 4648 §4), as the opening handshake uses it.
package enum Base64 {
    package static func encode(_ bytes: [UInt8]) -> [UInt8] { encode(bytes.span.bytes) }

    package static func encode(_ bytes: RawSpan) -> [UInt8] {
        let count = bytes.byteCount
        let digits = (count + 2) / 3 * 4
        return [UInt8](unsafeUninitializedCapacity: digits) { text, textCount in
            // unsafe: what is loaded lies within `bytes`.
            func byte(_ offset: Int) -> UInt32 {
                UInt32(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            }
            var (offset, target) = (0, 0)
            while offset + 3 <= count {
                let group = byte(offset) << 16 | byte(offset + 1) << 8 | byte(offset + 2)
                text[target] = digit(group >> 18)
                text[target + 1] = digit(group >> 12 & 0x3F)
                text[target + 2] = digit(group >> 6 & 0x3F)
                text[target + 3] = digit(group & 0x3F)
                offset += 3
                target += 4
            }
            if offset < count {
                let hasTwo = offset + 2 == count
                let group = byte(offset) << 16 | (hasTwo ? byte(offset + 1) << 8 : 0)
                text[target] = digit(group >> 18)
                text[target + 1] = digit(group >> 12 & 0x3F)
                text[target + 2] = hasTwo ? digit(group >> 6 & 0x3F) : padding
                text[target + 3] = padding
            }
            textCount = digits
        }
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
