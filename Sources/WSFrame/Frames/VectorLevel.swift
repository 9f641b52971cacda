internal import CWSFrame

/// The vector instructions that the codec's inner loops may use, chosen when the program runs.
package enum VectorLevel: UInt8, CaseIterable, Comparable, Sendable {
    /// Swift's own loops, with the vectors every machine of the architecture has.
    case portable
    /// Lookups in 16 bytes: SSSE3 or NEON.
    case bits128
    /// 32 bytes: AVX2.
    case bits256

    /// The highest level of this machine; costs one load.
    package static var best: VectorLevel {
        @inline(__always)
        get {
            switch cwsframe_best_level() {
            case .bits256: .bits256
            case .bits128: .bits128
            case .portable: .portable
            }
        }
    }

    package static func < (one: VectorLevel, other: VectorLevel) -> Bool {
        one.rawValue < other.rawValue
    }

    /// The fewest bytes that ``mayBeginUTF8(_:count:)`` takes.
    static var utf8BytesMin: Int { Int(CWSFRAME_UTF8_BYTES_MIN) }

    /// Whether all bytes but the last three are UTF-8, and these could be but for what is missing
    /// or stands alone at the end.
    @inline(__always)
    func mayBeginUTF8(_ base: UnsafeRawPointer, count: Int) -> Bool {
        let level: cwsframe_level = self == .bits256 ? .bits256 : .bits128
        // unsafe: the caller's buffer of `count` bytes is read only.
        return cwsframe_is_utf8(level, base.assumingMemoryBound(to: UInt8.self), count)
    }

    /// From how many bytes on the masking loop over 32 bytes is worth its call.
    static var maskBytesMin: Int { 256 }

    /// Writes `source` XOR `key` to `target` in 32 bytes at a time, all words ORed.
    @inline(__always)
    static func mask256(
        from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int, key: UInt64
    ) -> UInt64 {
        // unsafe: the caller's buffers hold `count` bytes each.
        cwsframe_mask_256(
            source.assumingMemoryBound(to: UInt8.self),
            target.assumingMemoryBound(to: UInt8.self), count, key)
    }
}
