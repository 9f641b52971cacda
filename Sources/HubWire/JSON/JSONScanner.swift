/// Steps through JSON (RFC 8259), and checks what it passes over.
///
/// Recurses nowhere, keeps no copy, and believes its bytes to be UTF-8.
///
/// Complexity: O(bytes passed over).
struct JSONScanner {
    let bytes: UnsafeRawBufferPointer
    private(set) var index = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Passes so many bytes.
    mutating func advance(_ count: Int) { index += count }

    // MARK: - Punctuation

    /// The next byte that is no white space; it is not passed.
    mutating func peek() -> UInt8? {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0a, 0x0d: index += 1
            default: return bytes[index]
            }
        }
        return nil
    }

    /// Passes `byte`, if it comes next.
    mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: byte) else { return false }
        index += 1
        return true
    }

    mutating func expect(_ byte: Unicode.Scalar) throws(WireError) {
        guard take(byte) else { throw broken("\(byte) expected") }
    }

    func broken(_ what: String) -> WireError {
        WireError("not JSON at byte \(index): \(what)", isSyntax: true)
    }

    // MARK: - Values

    /// Passes one value.
    mutating func skipValue() throws(WireError) {
        // A bit for each open array or object, the innermost lowest: 1 for an object.
        var open: UInt64 = 0
        var depth = 0
        value: while true {
            switch peek() {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard depth < WireLimits.depthMax else {
                    throw WireError("nested more than \(WireLimits.depthMax) deep")
                }
                let isObject = bytes[index] == UInt8(ascii: "{")
                index += 1
                guard !take(isObject ? "}" : "]") else { break }
                depth += 1
                open = open << 1 | (isObject ? 1 : 0)
                if isObject { try skipKey() }
                continue value
            case UInt8(ascii: "\""): _ = try skipString()
            case UInt8(ascii: "t"): try skipWord("true")
            case UInt8(ascii: "f"): try skipWord("false")
            case UInt8(ascii: "n"): try skipWord("null")
            default: _ = try skipNumber()
            }
            while depth > 0 {
                let isObject = open & 1 == 1
                if take(",") {
                    if isObject { try skipKey() }
                    continue value
                }
                try expect(isObject ? "}" : "]")
                open >>= 1
                depth -= 1
            }
            return
        }
    }

    private mutating func skipKey() throws(WireError) {
        _ = try skipString()
        try expect(":")
    }

    /// Passes the word, if it comes next.
    mutating func takeWord(_ word: StaticString) -> Bool {
        guard peek() != nil, bytes.count - index >= word.utf8CodeUnitCount else { return false }
        for place in 0..<word.utf8CodeUnitCount
        where bytes[index + place] != word.utf8Start[place] {
            return false
        }
        index += word.utf8CodeUnitCount
        return true
    }

    private mutating func skipWord(_ word: StaticString) throws(WireError) {
        guard takeWord(word) else { throw broken("\(word) expected") }
    }

    /// Passes a number.
    ///
    /// - Returns: Whether it is whole: neither a fraction nor an exponent is written.
    private mutating func skipNumber() throws(WireError) -> Bool {
        guard peek() != nil else { throw broken("a value expected") }
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        if isNext("0") { index += 1 } else { try skipDigits() }
        var isWhole = true
        if isNext(".") {
            isWhole = false
            index += 1
            try skipDigits()
        }
        if isNext("e") || isNext("E") {
            isWhole = false
            index += 1
            if isNext("+") || isNext("-") { index += 1 }
            try skipDigits()
        }
        return isWhole
    }

    private func isNext(_ byte: Unicode.Scalar) -> Bool {
        index < bytes.count && bytes[index] == UInt8(ascii: byte)
    }

    private mutating func skipDigits() throws(WireError) {
        let start = index
        while index < bytes.count, 0x30...0x39 ~= bytes[index] { index += 1 }
        guard index > start else { throw broken("a value expected") }
    }

    /// Passes a number and reads it; `nil` for one that is not whole or beyond 64 bits.
    mutating func integer() throws(WireError) -> (magnitude: UInt64, isNegative: Bool)? {
        _ = peek()
        let start = index
        guard try skipNumber() else { return nil }
        var magnitude: UInt64 = 0
        let isNegative = bytes[start] == UInt8(ascii: "-")
        for place in (isNegative ? start + 1 : start)..<index {
            let (tenfold, isTooBig) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, isOver) = tenfold.addingReportingOverflow(UInt64(bytes[place] - 0x30))
            guard !isTooBig, !isOver else { return nil }
            magnitude = sum
        }
        return (magnitude, isNegative)
    }
}
