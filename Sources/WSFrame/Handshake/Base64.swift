/// Base64 with padding (RFC 4648 §4), as the opening handshake uses it.
package enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var offset = 0
        while offset < bytes.count {
            let left = bytes.count - offset
            let first = UInt32(bytes[offset])
            let second = left > 1 ? UInt32(bytes[offset + 1]) : 0
            let third = left > 2 ? UInt32(bytes[offset + 2]) : 0
            let group = first << 16 | second << 8 | third
            text.append(alphabet[Int(group >> 18)])
            text.append(alphabet[Int(group >> 12 & 0x3F)])
            text.append(left > 1 ? alphabet[Int(group >> 6 & 0x3F)] : 0x3D)
            text.append(left > 2 ? alphabet[Int(group & 0x3F)] : 0x3D)
            offset += 3
        }
        return text
    }

    /// Whether `text` decodes to exactly 16 bytes: 22 digits and two paddings.
    static func isSixteenBytes(_ text: UnsafeRawBufferPointer) -> Bool {
        text.count == 24 && text[22] == 0x3D && text[23] == 0x3D
            && text.prefix(22).allSatisfy(isDigit)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, 0x2B, 0x2F: true
        default: false
        }
    }
}
