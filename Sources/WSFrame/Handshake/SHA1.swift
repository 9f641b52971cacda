internal import CWSFrame

/// The hash that RFC 6455 §4.2.2 asks for; it protects nothing there, and is used for nothing else.
package enum SHA1 {
    private static var blockBytes: Int { 64 }

    /// Hashes a message (FIPS 180-4 §6.1). Allocates nothing.
    ///
    /// - Parameters:
    ///   - message: What to hash.
    ///   - isPortable: Whether to do without the processor's own instructions.
    /// - Returns: The digest.
    package static func digest(of message: RawSpan, isPortable: Bool = false) -> [20 of UInt8] {
        let mixBlock = isPortable ? cwsframe_sha1_mix_portable : cwsframe_sha1_mix
        var state: [5 of UInt32] = [
            0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0,
        ]
        let count = message.byteCount
        let whole = count / blockBytes * blockBytes
        // What is left, the bit that ends the message, and its length in bits (§5.1.1).
        var last = [128 of UInt8](repeating: 0)
        let rest = count - whole
        let padded = rest < 56 ? blockBytes : 2 * blockBytes
        message.withUnsafeBytes { bytes in
            mix(UnsafeRawBufferPointer(rebasing: bytes[..<whole]), into: &state, mixBlock)
            withUnsafeMutableBytes(of: &last) { last in
                // `rest` bytes are left of the message, and fewer than the room for them.
                last.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[whole...]))
                last[rest] = 0x80
                last.storeBytes(
                    of: (UInt64(count) * 8).bigEndian, toByteOffset: padded - 8, as: UInt64.self)
                mix(UnsafeRawBufferPointer(rebasing: last[..<padded]), into: &state, mixBlock)
            }
        }
        return [20 of UInt8] { index in
            UInt8(truncatingIfNeeded: state[index / 4] >> UInt32(24 - index % 4 * 8))
        }
    }

    /// Mixes whole blocks in (§6.1.2).
    private static func mix(
        _ blocks: UnsafeRawBufferPointer, into state: inout [5 of UInt32],
        _ mixBlock: (UnsafeMutablePointer<UInt32>, UnsafePointer<UInt8>) -> Void
    ) {
        guard let base = blocks.baseAddress else { return }
        withUnsafeMutableBytes(of: &state) { state in
            guard let words = state.baseAddress?.assumingMemoryBound(to: UInt32.self) else {
                return
            }
            for start in stride(from: 0, to: blocks.count, by: blockBytes) {
                // unsafe: a block lies at `start`, and there are five words.
                mixBlock(words, (base + start).assumingMemoryBound(to: UInt8.self))
            }
        }
    }
}
