/// Base64 with padding (RFC 4648 §4), as the opening handshake uses it.
package enum Base64 {
    package static func encode(_ bytes: [UInt8]) -> [UInt8] { encode(bytes.span.bytes) }

    package static func encode(_ bytes: RawSpan) -> [UInt8] {
        let count = bytes.byteCount
        // Padding, where no digit takes its place.
        var text = [UInt8](repeating: 0x3D, count: (count + 2) / 3 * 4)
        for offset in stride(from: 0, to: count, by: 3) {
            let left = count - offset
            var group: UInt32 = 0
            for index in 0..<min(3, left) {
                let byte = bytes.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self)
                group |= UInt32(byte) << UInt32(16 - index * 8)
            }
            for index in 0...min(3, left) {
                text[offset / 3 * 4 + index] = digit(group >> UInt32(18 - index * 6) & 0x3F)
            }
        }
        return text
    }

    @inline(__always)
    private static func digit(_ value: UInt32) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: value)
        return switch value {
        case 0..<26: value + 0x41
        case 26..<52: value + 0x47
        case 52..<62: value - 4
        case 62: 0x2B
        default: 0x2F
        }
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
