/// The hash that RFC 6455 §4.2.2 asks for; it protects nothing there, and is used for nothing else.
package enum SHA1 {
    /// The digest of `message` (FIPS 180-4 §6.1). Allocates nothing.
    package static func digest(of message: RawSpan) -> [20 of UInt8] {
        var state: [5 of UInt32] = [
            0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0,
        ]
        let count = message.byteCount
        var start = 0
        while count - start >= 64 {
            mix(block(of: message, from: start), into: &state)
            start += 64
        }
        // What is left, the bit that ends the message, and its length in bits (§5.1.1).
        var last = block(of: message, from: start)
        let rest = count - start
        last[rest / 4] |= 0x80 << UInt32(24 - rest % 4 * 8)
        if rest >= 56 {
            mix(last, into: &state)
            last = [16 of UInt32](repeating: 0)
        }
        let bits = UInt64(count) * 8
        last[14] = UInt32(truncatingIfNeeded: bits >> 32)
        last[15] = UInt32(truncatingIfNeeded: bits)
        mix(last, into: &state)
        return [20 of UInt8] { index in
            UInt8(truncatingIfNeeded: state[index / 4] >> UInt32(24 - index % 4 * 8))
        }
    }

    /// The sixteen words from `start` on, with zeros behind the message's end.
    @inline(__always)
    private static func block(of message: RawSpan, from start: Int) -> [16 of UInt32] {
        var words = [16 of UInt32](repeating: 0)
        let whole = min(16, (message.byteCount - start) / 4)
        for index in 0..<whole {
            let word = message.unsafeLoadUnaligned(
                // unsafe: `whole` words lie behind `start`.
                fromUncheckedByteOffset: start + index * 4, as: UInt32.self)
            words[index] = word.bigEndian
        }
        guard whole < 16 else { return words }
        for offset in (start + whole * 4)..<message.byteCount {
            let byte = message.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            words[whole] |= UInt32(byte) << UInt32(24 - offset % 4 * 8)
        }
        return words
    }

    /// Mixes one block in, with the schedule kept in sixteen words (§6.1.3).
    private static func mix(_ block: [16 of UInt32], into state: inout [5 of UInt32]) {
        var words = block
        var work = (state[0], state[1], state[2], state[3], state[4])

        @inline(__always)
        func round(_ index: Int, _ mixed: UInt32, _ constant: UInt32) {
            let (a, b, c, d, e) = work
            let next = rotated(a, by: 5) &+ mixed &+ e &+ constant &+ words[index & 15]
            work = (next, a, rotated(b, by: 30), c, d)
            // The word of sixteen rounds later takes this one's place.
            let word =
                words[(index &+ 13) & 15] ^ words[(index &+ 8) & 15] ^ words[(index &+ 2) & 15]
                ^ words[index & 15]
            words[index & 15] = rotated(word, by: 1)
        }

        for index in 0..<20 {
            round(index, work.1 & work.2 | ~work.1 & work.3, 0x5A82_7999)
        }
        for index in 20..<40 { round(index, work.1 ^ work.2 ^ work.3, 0x6ED9_EBA1) }
        for index in 40..<60 {
            round(index, work.1 & work.2 | work.1 & work.3 | work.2 & work.3, 0x8F1B_BCDC)
        }
        for index in 60..<80 { round(index, work.1 ^ work.2 ^ work.3, 0xCA62_C1D6) }
        state[0] &+= work.0
        state[1] &+= work.1
        state[2] &+= work.2
        state[3] &+= work.3
        state[4] &+= work.4
    }

    @inline(__always)
    private static func rotated(_ word: UInt32, by count: UInt32) -> UInt32 {
        word &<< count | word &>> (32 &- count)
    }
}
