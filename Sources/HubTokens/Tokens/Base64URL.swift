/// Base64 for addresses and headers (RFC 4648 §5), without padding.
enum Base64URL {
    private static let digits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        var (group, bits): (UInt32, UInt32) = (0, 0)
        for byte in bytes {
            group = group << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(digits[Int(group >> bits & 63)])
            }
        }
        if bits > 0 { text.append(digits[Int(group << (6 - bits) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// `nil` for what is not in the one form that ``encode(_:)`` gives.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count * 3 / 4)
        var (group, bits): (UInt32, UInt32) = (0, 0)
        for digit in text.utf8 {
            guard let value = value(of: digit) else { return nil }
            group = group << 6 | value
            bits += 6
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: group >> bits))
        }
        guard bits < 6, group & (1 << bits - 1) == 0 else { return nil }
        return bytes
    }

    private static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case 0x41...0x5a: UInt32(digit - 0x41)
        case 0x61...0x7a: UInt32(digit - 0x47)
        case 0x30...0x39: UInt32(digit + 4)
        case 0x2d: 62
        case 0x5f: 63
        default: nil
        }
    }
}
