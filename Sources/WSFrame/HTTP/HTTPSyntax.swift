/// The character classes of HTTP (RFC 9110 §5.5, §5.6).
enum HTTPSyntax {
    /// Whether `byte` may stand in a token: a method, a header name, a protocol name.
    @inline(__always)
    static func isTokenByte(_ byte: UInt8) -> Bool {
        // One bit for each of the 128 ASCII values: "!#$%&'*+-.^_`|~", digits and letters.
        let word: UInt64 = byte < 64 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE
        return byte < 128 && (word &>> UInt64(byte & 63)) & 1 != 0
    }

    @inline(__always)
    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09
    }

    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
    }

    /// The offset of the first byte from `start` on that may not stand in a token, or `bytes.count`.
    ///
    /// Looks at eight bytes at a time, which in most names are letters and hyphens.
    static func tokenEnd(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = bytes.baseAddress else { return start }
        var offset = start
        while bytes.count - offset >= 8 {
            // unsafe: eight bytes are left.
            let word = UInt64(
                littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            // The top bit of each byte tells whether it is a letter, and whether it is none but a hyphen.
            let low = (word | 0x2020_2020_2020_2020) & 0x7F7F_7F7F_7F7F_7F7F
            let letters = (low &+ 0x1F1F_1F1F_1F1F_1F1F) & ~(low &+ 0x0505_0505_0505_0505)
            let noHyphens =
                ((word ^ 0x2D2D_2D2D_2D2D_2D2D) & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x7F7F_7F7F_7F7F_7F7F
            let others = (word | ~letters & noHyphens) & 0x8080_8080_8080_8080
            offset += others.trailingZeroBitCount >> 3
            if others == 0 { continue }
            guard isTokenByte(bytes[offset]) else { return offset }
            offset += 1
        }
        while offset < bytes.count, isTokenByte(bytes[offset]) { offset += 1 }
        return offset
    }

    /// The offset of the first colon in `range`, or its end.
    ///
    /// Looks at eight bytes at a time.
    static func firstColon(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int {
        guard let base = bytes.baseAddress else { return range.upperBound }
        var offset = range.lowerBound
        while range.upperBound - offset >= 8 {
            // unsafe: eight bytes are left.
            let word = UInt64(
                littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            // A colon is zero after the exclusive or; a borrow marks no byte before the first.
            let others = word ^ 0x3A3A_3A3A_3A3A_3A3A
            let hits = (others &- 0x0101_0101_0101_0101) & ~others & 0x8080_8080_8080_8080
            if hits != 0 { return offset + hits.trailingZeroBitCount >> 3 }
            offset += 8
        }
        while offset < range.upperBound, bytes[offset] != 0x3A { offset += 1 }
        return offset
    }

    /// Eight bytes, of which the capital letters of ASCII become small ones.
    @inline(__always)
    private static func lowercased(_ word: UInt64) -> UInt64 {
        let low = word & 0x7F7F_7F7F_7F7F_7F7F
        // The top bit of each byte tells whether it is "A" or beyond, and whether it is beyond "Z".
        let fromA = low &+ 0x3F3F_3F3F_3F3F_3F3F
        let beyondZ = low &+ 0x2525_2525_2525_2525
        return word | (fromA & ~beyondZ & ~word & 0x8080_8080_8080_8080) >> 2
    }

    static func isToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy(isTokenByte)
    }

    /// Whether `bytes` equal `name` without regard to case; `name` must be lowercase.
    @inline(__always)
    static func matches(_ bytes: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        // unsafe: a StaticString of ASCII literals has a pointer to its code units.
        bytes.count == name.utf8CodeUnitCount && lowercased(bytes, equal: name.utf8Start)
    }

    /// Whether `bytes` equal `text`, whose case matters.
    static func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        // unsafe: a StaticString of ASCII literals has a pointer to its code units.
        let expected = text.utf8Start
        for offset in 0..<bytes.count where bytes[offset] != expected[offset] { return false }
        return true
    }

    /// unsafe: `expected` has as many bytes as `bytes`.
    @inline(__always)
    private static func lowercased(
        _ bytes: UnsafeRawBufferPointer, equal expected: UnsafePointer<UInt8>
    ) -> Bool {
        let count = bytes.count
        guard count >= 8, let base = bytes.baseAddress else {
            for offset in 0..<count where lowercased(bytes[offset]) != expected[offset] {
                return false
            }
            return true
        }
        let words = UnsafeRawPointer(expected)
        var offset = 0
        while true {
            // The last word lies over the one before it.
            let start = min(offset, count - 8)
            let word = base.loadUnaligned(fromByteOffset: start, as: UInt64.self)
            guard lowercased(word) == words.loadUnaligned(fromByteOffset: start, as: UInt64.self)
            else { return false }
            offset += 8
            if offset >= count { return true }
        }
    }

    /// `bytes` without white space at either end.
    static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var lower = bytes.startIndex
        var upper = bytes.endIndex
        while lower < upper, isWhitespace(bytes[lower]) { lower += 1 }
        while upper > lower, isWhitespace(bytes[upper - 1]) { upper -= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[lower..<upper])
    }

    /// Calls `body` with each non-empty element of a comma-separated list, trimmed (RFC 9110
    /// §5.6.1).
    ///
    /// Complexity: O(bytes).
    static func forEachListElement(
        of bytes: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        var start = bytes.startIndex
        for offset in 0...bytes.count where offset == bytes.count || bytes[offset] == 0x2C {
            let element = trimmed(UnsafeRawBufferPointer(rebasing: bytes[start..<offset]))
            if !element.isEmpty { body(element) }
            start = offset + 1
        }
    }

    /// The offset of the first control byte from `start` on, or `bytes.count`; HTAB is none.
    ///
    /// Looks at eight bytes at a time.
    static func firstControlByte(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = bytes.baseAddress else { return bytes.count }
        var offset = start
        while bytes.count - offset >= 8 {
            // unsafe: eight bytes are left.
            let word = UInt64(
                littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            // A byte below 0x20 borrows into its top bit; 0x7F is zero after the exclusive or.
            let low = (word &- 0x2020_2020_2020_2020) & ~word
            let delete = word ^ 0x7F7F_7F7F_7F7F_7F7F
            let hits = (low | ((delete &- 0x0101_0101_0101_0101) & ~delete)) & 0x8080_8080_8080_8080
            if hits == 0 {
                offset += 8
                continue
            }
            // A borrow can mark a byte after the first hit falsely, never one before it.
            offset += hits.trailingZeroBitCount >> 3
            if bytes[offset] != 0x09 { return offset }
            offset += 1
        }
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte < 0x20 && byte != 0x09 || byte == 0x7F { return offset }
            offset += 1
        }
        return offset
    }
}
