/// Bytes in JSON: base64 with padding (RFC 4648 §4).
package enum Base64Text {
    private static let digits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Adds the text of `bytes`.
    package static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let left = bytes.count - start
            let group =
                UInt32(bytes[start]) << 16 | (left > 1 ? UInt32(bytes[start + 1]) << 8 : 0)
                | (left > 2 ? UInt32(bytes[start + 2]) : 0)
            text.append(digits[Int(group >> 18)])
            text.append(digits[Int(group >> 12 & 63)])
            text.append(left > 1 ? digits[Int(group >> 6 & 63)] : UInt8(ascii: "="))
            text.append(left > 2 ? digits[Int(group & 63)] : UInt8(ascii: "="))
        }
    }

    /// `nil` for what is not base64, not padded, or not in its one form (RFC 4648 §3.5).
    package static func decode(_ text: String) -> [UInt8]? {
        let text = Array(text.utf8)
        guard text.count.isMultiple(of: 4) else { return nil }
        let padding = text.suffix(2).count { $0 == UInt8(ascii: "=") }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        for (place, byte) in text.dropLast(padding).enumerated() {
            guard let digit = value(of: byte) else { return nil }
            group = group << 6 | digit
            guard place % 4 == 3 else { continue }
            bytes.append(UInt8(group >> 16 & 0xff))
            bytes.append(UInt8(group >> 8 & 0xff))
            bytes.append(UInt8(group & 0xff))
            group = 0
        }
        switch padding {
        case 1:
            guard group & 3 == 0 else { return nil }
            bytes += [UInt8(group >> 10 & 0xff), UInt8(group >> 2 & 0xff)]
        case 2:
            guard group & 15 == 0 else { return nil }
            bytes.append(UInt8(group >> 4 & 0xff))
        default: break
        }
        return bytes
    }

    private static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case 0x41...0x5a: UInt32(digit - 0x41)
        case 0x61...0x7a: UInt32(digit - 0x47)
        case 0x30...0x39: UInt32(digit + 4)
        case 0x2b: 62
        case 0x2f: 63
        default: nil
        }
    }
}
