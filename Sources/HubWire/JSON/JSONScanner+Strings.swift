// Strings (RFC 8259 §7): surrogates come in pairs, or the string has no meaning in Unicode.
extension JSONScanner {
    /// Passes a string.
    ///
    /// - Returns: Where its contents are, and whether some of them are escaped.
    mutating func skipString() throws(WireError) -> (contents: Range<Int>, isEscaped: Bool) {
        try expect("\"")
        let start = index
        var isEscaped = false
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                advance(1)
                return (start..<index - 1, isEscaped)
            case UInt8(ascii: "\\"):
                isEscaped = true
                _ = try scalar()
            case 0..<0x20:
                throw broken("a control character in a string")
            default:
                advance(1)
            }
        }
        throw broken("a string that does not end")
    }

    /// Passes a string and reads it.
    mutating func string() throws(WireError) -> String {
        let (contents, isEscaped) = try skipString()
        guard isEscaped else {
            return String(
                decoding: UnsafeRawBufferPointer(rebasing: bytes[contents]), as: UTF8.self)
        }
        var inner = JSONScanner(UnsafeRawBufferPointer(rebasing: bytes[..<contents.upperBound]))
        inner.advance(contents.lowerBound)
        var text: [UInt8] = []
        text.reserveCapacity(contents.count)
        while inner.index < contents.upperBound {
            if inner.bytes[inner.index] == UInt8(ascii: "\\") {
                text += String(Character(try inner.scalar())).utf8
            } else {
                text.append(inner.bytes[inner.index])
                inner.advance(1)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Passes an escape and reads it.
    private mutating func scalar() throws(WireError) -> Unicode.Scalar {
        guard bytes.count - index >= 2 else { throw broken("a string that does not end") }
        let letter = bytes[index + 1]
        advance(2)
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try hexadecimal()
        default: throw broken("no such escape")
        }
    }

    private mutating func hexadecimal() throws(WireError) -> Unicode.Scalar {
        let first = try unit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xdc00, bytes.count - index >= 6, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { throw broken("half of a surrogate pair") }
        advance(2)
        let second = try unit()
        guard 0xdc00...0xdfff ~= second,
            let scalar = Unicode.Scalar((first - 0xd800) << 10 + (second - 0xdc00) + 0x1_0000)
        else { throw broken("half of a surrogate pair") }
        return scalar
    }

    private mutating func unit() throws(WireError) -> UInt32 {
        guard bytes.count - index >= 4 else { throw broken("a string that does not end") }
        var value: UInt32 = 0
        for place in index..<index + 4 {
            let digit: UInt8
            switch bytes[place] {
            case 0x30...0x39: digit = bytes[place] - 0x30
            case 0x41...0x46: digit = bytes[place] - 0x37
            case 0x61...0x66: digit = bytes[place] - 0x57
            default: throw broken("no hexadecimal digit")
            }
            value = value << 4 | UInt32(digit)
        }
        advance(4)
        return value
    }
}
