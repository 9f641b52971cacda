/// Applies a masking key to payload bytes (RFC 6455 §5.3).
///
/// Masking and unmasking are the same operation.
public enum Masking {
    /// Masks or unmasks `bytes` in place.
    ///
    /// - Parameters:
    ///   - key: The key for the first byte; of a payload in pieces, the key the previous call returned.
    ///   - bytes: The payload or a piece of it.
    /// - Returns: The key for the byte after `bytes`.
    @discardableResult
    public static func apply(_ key: MaskingKey, to bytes: inout MutableRawSpan) -> MaskingKey {
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            // unsafe: base and count are one buffer, lent for this closure.
            _ = transform(from: base, to: base, count: buffer.count, key: key)
        }
        return key.advanced(by: bytes.byteCount)
    }

    /// Writes `source` XOR `key` to `target`, 16 bytes at a time.
    ///
    /// The two may be the same memory, but must not overlap otherwise. From 4 bytes on, the tail is one
    /// overlapping word: it is read before the loop writes any byte of it, so that no byte loop is needed.
    ///
    /// - Returns: All words written, ORed: no bit of 0x80 in it means that every byte is ASCII.
    @inline(__always)
    static func transform(
        from source: UnsafeRawPointer,
        to target: UnsafeMutableRawPointer,
        count: Int,
        key: MaskingKey
    ) -> UInt64 {
        if count >= 16 {
            return transformVectors(from: source, to: target, count: count, key: key)
        }
        let tailKey = key.advanced(by: count)
        if count >= 8 {
            let tailAt = count &- 8
            // unsafe: 8 <= count, so that both words lie within the two buffers.
            let head = source.loadUnaligned(as: UInt64.self) ^ doubled(key)
            let tail =
                source.loadUnaligned(fromByteOffset: tailAt, as: UInt64.self) ^ doubled(tailKey)
            target.storeBytes(of: head, as: UInt64.self)
            target.storeBytes(of: tail, toByteOffset: tailAt, as: UInt64.self)
            return head | tail
        }
        if count >= 4 {
            let tailAt = count &- 4
            // unsafe: 4 <= count, so that both words lie within the two buffers.
            let head = source.loadUnaligned(as: UInt32.self) ^ key.word
            let tail = source.loadUnaligned(fromByteOffset: tailAt, as: UInt32.self) ^ tailKey.word
            target.storeBytes(of: head, as: UInt32.self)
            target.storeBytes(of: tail, toByteOffset: tailAt, as: UInt32.self)
            return UInt64(head | tail)
        }
        var seen: UInt8 = 0
        var shifted = UInt32(littleEndian: key.word)
        for offset in 0..<count {
            // unsafe: offset < count.
            let byte =
                source.load(fromByteOffset: offset, as: UInt8.self)
                ^ UInt8(truncatingIfNeeded: shifted)
            target.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
            seen |= byte
            shifted &>>= 8
        }
        return UInt64(seen)
    }

    private static func transformVectors(
        from source: UnsafeRawPointer,
        to target: UnsafeMutableRawPointer,
        count: Int,
        key: MaskingKey
    ) -> UInt64 {
        typealias Vector = SIMD2<UInt64>
        let keys = Vector(repeating: doubled(key))
        let tailAt = count &- 16
        // unsafe: 16 <= count, and every offset below is at most count - 16.
        var tail = source.loadUnaligned(fromByteOffset: tailAt, as: Vector.self)
        tail ^= Vector(repeating: doubled(key.advanced(by: count)))
        var seen = tail
        var offset = 0
        while offset &+ 64 <= count {
            let a = source.loadUnaligned(fromByteOffset: offset, as: Vector.self) ^ keys
            let b = source.loadUnaligned(fromByteOffset: offset &+ 16, as: Vector.self) ^ keys
            let c = source.loadUnaligned(fromByteOffset: offset &+ 32, as: Vector.self) ^ keys
            let d = source.loadUnaligned(fromByteOffset: offset &+ 48, as: Vector.self) ^ keys
            target.storeBytes(of: a, toByteOffset: offset, as: Vector.self)
            target.storeBytes(of: b, toByteOffset: offset &+ 16, as: Vector.self)
            target.storeBytes(of: c, toByteOffset: offset &+ 32, as: Vector.self)
            target.storeBytes(of: d, toByteOffset: offset &+ 48, as: Vector.self)
            seen |= (a | b) | (c | d)
            offset &+= 64
        }
        while offset < tailAt {
            let a = source.loadUnaligned(fromByteOffset: offset, as: Vector.self) ^ keys
            target.storeBytes(of: a, toByteOffset: offset, as: Vector.self)
            seen |= a
            offset &+= 16
        }
        target.storeBytes(of: tail, toByteOffset: tailAt, as: Vector.self)
        return seen[0] | seen[1]
    }

    @inline(__always)
    private static func doubled(_ key: MaskingKey) -> UInt64 {
        UInt64(key.word) | UInt64(key.word) &<< 32
    }
}
