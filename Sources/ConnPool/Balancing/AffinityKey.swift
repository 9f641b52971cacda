/// What leases are kept together by: with consistent hashing, equal keys go to the same endpoint.
///
/// The hash is the same in every process and on every machine, unlike that of `Hasher`. It is no
/// defence against those who choose keys to collide; the bound on loads is.
public struct AffinityKey: Hashable, Sendable {
    /// The key, hashed to 64 bits.
    public let hash: UInt64

    /// A key that is the UTF-8 of a text.
    public init(_ text: some StringProtocol) {
        var hash = Self.start
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* Self.prime }
        self.hash = Self.mixed(hash)
    }

    /// A key that is some bytes; it equals that of a text with these bytes.
    public init(_ bytes: RawSpan) {
        var hash = Self.start
        for index in bytes.byteOffsets {
            hash =
                (hash ^ UInt64(bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)))
                &* Self.prime
        }
        self.hash = Self.mixed(hash)
    }

    /// A key that is a number.
    public init(_ number: some BinaryInteger) {
        hash = Self.mixed(UInt64(truncatingIfNeeded: number))
    }

    // FNV-1a (Fowler, Noll, Vo), whose low bits are good and whose high bits need the mixing below.
    private static var start: UInt64 { 0xcbf2_9ce4_8422_2325 }
    private static var prime: UInt64 { 0x0100_0000_01b3 }

    /// Lets every bit of `word` change about half of the bits (the finaliser of SplitMix64: Steele,
    /// Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
    static func mixed(_ word: UInt64) -> UInt64 {
        var word = word &+ 0x9e37_79b9_7f4a_7c15
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}
