/// Validates UTF-8 that arrives in pieces (RFC 3629, as RFC 6455 §8.1 asks).
///
/// A sequence may be cut anywhere. The first byte that cannot belong to valid UTF-8 is found as soon
/// as it arrives: overlong forms, surrogates and values above U+10FFFF by their second byte.
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
    /// - Returns: Whether all bytes so far can begin valid UTF-8. After `false` the validator is of no use.
    public mutating func validate(_ bytes: RawSpan) -> Bool {
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return true }
            // unsafe: base and count are one buffer, lent for this closure.
            return validate(base, count: buffer.count)
        }
    }

    mutating func validate(_ base: UnsafeRawPointer, count: Int) -> Bool {
        var offset = 0
        while needed > 0 {
            guard offset < count else { return true }
            // unsafe: offset < count.
            guard resume(with: base.load(fromByteOffset: offset, as: UInt8.self)) else {
                return false
            }
            offset &+= 1
        }
        while offset < count {
            if count &- offset >= 8 {
                // unsafe: eight bytes are left.
                let word = UInt64(
                    littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let high = word & 0x8080_8080_8080_8080
                if high == 0 {
                    offset &+= 8
                    continue
                }
                offset &+= high.trailingZeroBitCount &>> 3
            }
            // unsafe: offset < count; the sequence reads within `count - offset` bytes.
            let length = Self.sequenceBytes(base + offset, available: count &- offset)
            guard length > 0 else {
                return length == 0 && begin(base, from: offset, to: count)
            }
            offset &+= length
        }
        return true
    }

    /// The length of the valid sequence at `bytes`, 0 if it is cut by the end, -1 if it is invalid.
    @inline(__always)
    private static func sequenceBytes(_ bytes: UnsafeRawPointer, available: Int) -> Int {
        let lead = bytes.load(as: UInt8.self)
        if lead < 0x80 { return 1 }
        guard available >= 4 else {
            return shortSequenceBytes(bytes, available: available)
        }
        // unsafe: four bytes are available.
        let word = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        if word & 0xC0E0 == 0x80C0 {
            return lead >= 0xC2 ? 2 : -1
        }
        if word & 0xC0C0F0 == 0x8080E0 {
            // The ten bits below say whether the form is overlong (0) or a surrogate (0x20D).
            let bits = word & 0x200F
            return bits != 0 && bits != 0x200D ? 3 : -1
        }
        if word & 0xC0C0_C0F8 == 0x8080_80F0 {
            let value = (word & 0x7) << 2 | (word >> 12) & 0x3
            return value >= 1 && value <= 0x10 ? 4 : -1
        }
        return -1
    }

    /// The same near the end of a piece, where a sequence may be cut.
    private static func shortSequenceBytes(_ bytes: UnsafeRawPointer, available: Int) -> Int {
        var probe = UTF8Validator()
        for offset in 0..<available {
            // unsafe: offset < available.
            guard probe.resume(with: bytes.load(fromByteOffset: offset, as: UInt8.self)) else {
                return -1
            }
            if probe.isAtBoundary { return offset + 1 }
        }
        return 0
    }

    /// Keeps the state of the sequence that the end of the piece cuts.
    private mutating func begin(_ base: UnsafeRawPointer, from start: Int, to end: Int) -> Bool {
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
