/// Validates UTF-8 that arrives in pieces (RFC 3629, as RFC 6455 §8.1 asks).
///
/// A sequence may be cut anywhere. The first byte that cannot belong to valid UTF-8 is found as
/// soon as it arrives: overlong forms, surrogates and values above U+10FFFF by their second byte.
public struct UTF8Validator: Hashable, Sendable {
    /// How many bytes the sequence begun still needs; the next one lies in `lower...upper`.
    private var needed: UInt8 = 0
    private var lower: UInt8 = 0x80
    private var upper: UInt8 = 0xBF

    public init() {}

    /// Whether the bytes so far end where a character ends.
    public var isAtBoundary: Bool { needed == 0 }

    /// Validates the next piece.
    ///
    /// - Returns: Whether all bytes so far can begin valid UTF-8. After `false` the validator is of
    ///   no use.
    public mutating func validate(_ bytes: RawSpan) -> Bool {
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return true }
            // unsafe: base and count are one buffer, lent for this closure.
            return validate(base, count: buffer.count)
        }
    }

    /// Validates the next piece with the vector loops of `level`, which this machine must have.
    package mutating func validate(_ bytes: RawSpan, with level: VectorLevel) -> Bool {
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return true }
            // unsafe: base and count are one buffer, lent for this closure.
            return validate(base, count: buffer.count, with: level)
        }
    }

    mutating func validate(
        _ base: UnsafeRawPointer, count: Int, with level: VectorLevel = .best
    ) -> Bool {
        var offset = 0
        while needed > 0 {
            guard offset < count else { return true }
            // unsafe: offset < count.
            guard resume(with: base.load(fromByteOffset: offset, as: UInt8.self)) else {
                return false
            }
            offset &+= 1
        }
        let rest = count &- offset
        if rest >= VectorLevel.utf8BytesMin, level != .portable {
            // unsafe: offset + rest == count.
            return level.mayBeginUTF8(base + offset, count: rest)
                && resumeAtEnd(base, from: offset, to: count)
        }
        while offset < count {
            offset = Self.skipASCII(base, from: offset, to: count)
            guard let end = Self.skipSequences(base, from: offset, to: count) else { return false }
            guard end > offset || offset == count else {
                // The last bytes, fewer than a whole word.
                return finish(base, from: offset, to: count)
            }
            offset = end
        }
        return true
    }

    /// The offset of the first byte that is not ASCII, or of the last fewer than eight bytes.
    @inline(__always)
    private static func skipASCII(
        _ base: UnsafeRawPointer, from start: Int, to end: Int
    ) -> Int {
        var offset = start
        while end &- offset >= 8 {
            // unsafe: eight bytes are left.
            let word = UInt64(
                littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let high = word & 0x8080_8080_8080_8080
            if high != 0 { return offset &+ high.trailingZeroBitCount &>> 3 }
            offset &+= 8
        }
        return offset
    }

    /// The end of the run of sequences of two to four bytes, as far as it can be read in words.
    ///
    /// - Returns: `nil` if a byte in the run is invalid.
    @inline(__always)
    private static func skipSequences(
        _ base: UnsafeRawPointer, from start: Int, to end: Int
    ) -> Int? {
        var offset = start
        while end &- offset >= 8 {
            // unsafe: eight bytes are left.
            let word = UInt64(
                littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            if word & 0xC0C0_F0C0_C0F0 == 0x8080_E080_80E0 {
                // Two of three bytes. Of each, these bits say whether the form is overlong (0) or a
                // surrogate (0x200D).
                let first = word & 0x200F
                let second = (word &>> 24) & 0x200F
                guard first != 0, first != 0x200D, second != 0, second != 0x200D else { return nil }
                offset &+= 6
            } else if word & 0xC0C0F0 == 0x8080E0 {
                let bits = word & 0x200F
                guard bits != 0, bits != 0x200D else { return nil }
                offset &+= 3
            } else if word & 0xC0E0 == 0x80C0 {
                guard word & 0x1E != 0 else { return nil }
                offset &+= 2
            } else if word & 0xC0C0_C0F8 == 0x8080_80F0 {
                let plane = (word & 0x7) &<< 2 | (word &>> 12) & 0x3
                guard plane >= 1, plane <= 0x10 else { return nil }
                offset &+= 4
            } else {
                return word & 0x80 == 0 ? offset : nil
            }
        }
        return offset
    }

    /// Judges and remembers the sequence that may begin in the last three bytes of a piece, which a
    /// vector loop has passed.
    private mutating func resumeAtEnd(
        _ base: UnsafeRawPointer, from start: Int, to end: Int
    ) -> Bool {
        var offset = end
        while offset > max(start, end &- 3) {
            offset &-= 1
            // unsafe: start <= offset < end.
            let byte = base.load(fromByteOffset: offset, as: UInt8.self)
            if byte < 0x80 { return true }
            if byte >= 0xC0 { return finish(base, from: offset, to: end) }
        }
        return true
    }

    /// Takes the last bytes of a piece one by one, and keeps the state of the sequence that its end
    /// cuts.
    private mutating func finish(_ base: UnsafeRawPointer, from start: Int, to end: Int) -> Bool {
        for offset in start..<end {
            // unsafe: offset < end, the piece's length.
            guard resume(with: base.load(fromByteOffset: offset, as: UInt8.self)) else {
                return false
            }
        }
        return true
    }

    /// Takes one byte: the lead of a sequence, or its continuation (Unicode 16, table 3-7).
    private mutating func resume(with byte: UInt8) -> Bool {
        if needed > 0 {
            guard byte >= lower, byte <= upper else { return false }
            needed &-= 1
            lower = 0x80
            upper = 0xBF
            return true
        }
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: needed = 1
        case 0xE0:
            needed = 2
            lower = 0xA0
        case 0xED:
            needed = 2
            upper = 0x9F
        case 0xE1...0xEF: needed = 2
        case 0xF0:
            needed = 3
            lower = 0x90
        case 0xF1...0xF3: needed = 3
        case 0xF4:
            needed = 3
            upper = 0x8F
        default: return false
        }
        return true
    }
}
