/// The four bytes that a client XORs over a frame's payload (RFC 6455 §5.3).
public struct MaskingKey: Hashable, Sendable {
    /// The key's bytes as they lie in memory, whatever the byte order of the machine.
    @usableFromInline let word: UInt32

    @inlinable
    @inline(__always)
    package init(word: UInt32) {
        self.word = word
    }

    /// Makes a key from its bytes in wire order.
    public init(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) {
        let value =
            UInt32(first) | UInt32(second) << 8 | UInt32(third) << 16 | UInt32(fourth) << 24
        word = value.littleEndian
    }

    /// The key that continues the mask after `count` bytes of payload.
    @inlinable
    @inline(__always)
    public func advanced(by count: Int) -> MaskingKey {
        let value = UInt32(littleEndian: word)
        let shift = UInt32(truncatingIfNeeded: count & 3) &* 8
        // The masking shift turns a shift by 32 into one by 0, which is right for shift 0.
        return MaskingKey(word: (value &>> shift | value &<< (32 &- shift)).littleEndian)
    }
}
