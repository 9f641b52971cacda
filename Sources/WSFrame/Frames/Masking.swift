/// Applies a masking key to payload bytes (RFC 6455 §5.3).
///
/// Masking and unmasking are the same operation.
public enum Masking {
    /// Masks or unmasks `bytes` in place.
    ///
    /// - Parameters:
    ///   - key: The key for the first byte; of a payload in pieces, the key the previous call
    ///     returned.
    ///   - bytes: The payload or a piece of it.
    /// - Returns: The key for the byte after `bytes`.
    @discardableResult
    public static func apply(_ key: MaskingKey, to bytes: inout MutableRawSpan) -> MaskingKey {
        // Asked for only where there is a choice: for a few bytes it would cost more than they do.
        apply(key, to: &bytes, with: .best)
    }

    /// Masks or unmasks with the vector loops of `level`, which this machine must have.
    @inline(__always)
    package static func apply(
        _ key: MaskingKey, to bytes: inout MutableRawSpan,
        with level: @autoclosure () -> VectorLevel
    ) -> MaskingKey {
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            // unsafe: base and count are one buffer, lent for this closure.
            _ = transform(from: base, to: base, count: buffer.count, key: key, with: level())
        }
        return key.advanced(by: bytes.byteCount)
    }

    /// Writes `source` XOR `key` to `target`, 16 or 32 bytes at a time.
    ///
    /// The two may be the same memory, but must not overlap otherwise. The tail is one overlapping
    /// word: it is read before any byte of it is written, so that no byte loop is needed.
    ///
    /// - Returns: All words written, ORed: no bit of 0x80 in it means that every byte is ASCII.
    @inline(__always)
    static func transform(
        from source: UnsafeRawPointer,
        to target: UnsafeMutableRawPointer,
        count: Int,
        key: MaskingKey,
        with level: @autoclosure () -> VectorLevel = .best
    ) -> UInt64 {
        if count < 4 {
            return transformTiny(from: source, to: target, count: count, key: key)
        }
        if count < 16 {
            return transformWords(from: source, to: target, count: count, key: key)
        }
        if count >= VectorLevel.maskBytesMin, level() == .bits256 {
            return VectorLevel.mask256(from: source, to: target, count: count, key: doubled(key))
        }
        return transformVectors(from: source, to: target, count: count, key: key)
    }

    /// Up to three bytes.
    @inline(__always)
    private static func transformTiny(
        from source: UnsafeRawPointer,
        to target: UnsafeMutableRawPointer,
        count: Int,
        key: MaskingKey
    ) -> UInt64 {
        let word = UInt32(littleEndian: key.word)
        if count == 1 {
            // unsafe: there is one byte.
            let only = source.load(as: UInt8.self) ^ UInt8(truncatingIfNeeded: word)
            target.storeBytes(of: only, as: UInt8.self)
            return UInt64(only)
        }
        guard count > 0 else { return 0 }
        let lastAt = count &- 1
        let lastKey = word &>> UInt32(truncatingIfNeeded: lastAt &* 8)
        // unsafe: all offsets are below count, which is 2 or 3.
        let last =
            source.load(fromByteOffset: lastAt, as: UInt8.self)
            ^ UInt8(truncatingIfNeeded: lastKey)
        let head =
            source.loadUnaligned(as: UInt16.self) ^ UInt16(truncatingIfNeeded: word).littleEndian
        target.storeBytes(of: head, as: UInt16.self)
        target.storeBytes(of: last, toByteOffset: lastAt, as: UInt8.self)
        return UInt64(UInt8(truncatingIfNeeded: head | head &>> 8) | last)
    }

    /// 4 to 15 bytes, in two words that may overlap.
    @inline(__always)
    private static func transformWords(
        from source: UnsafeRawPointer,
        to target: UnsafeMutableRawPointer,
        count: Int,
        key: MaskingKey
    ) -> UInt64 {
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
        let tailAt = count &- 4
        // unsafe: 4 <= count, so that both words lie within the two buffers.
        let head = source.loadUnaligned(as: UInt32.self) ^ key.word
        let tail = source.loadUnaligned(fromByteOffset: tailAt, as: UInt32.self) ^ tailKey.word
        target.storeBytes(of: head, as: UInt32.self)
        target.storeBytes(of: tail, toByteOffset: tailAt, as: UInt32.self)
        return UInt64(head | tail)
    }

    /// 16 bytes and more.
    private static func transformVectors(
        from source: UnsafeRawPointer,
        to target: UnsafeMutableRawPointer,
        count: Int,
        key: MaskingKey
    ) -> UInt64 {
        typealias Vector = SIMD2<UInt64>
        let keys = Vector(repeating: doubled(key))
        let tailKeys = Vector(repeating: doubled(key.advanced(by: count)))
        let tailAt = count &- 16
        // unsafe: 16 <= count, and every offset below is at most count - 16.
        let tail = source.loadUnaligned(fromByteOffset: tailAt, as: Vector.self) ^ tailKeys
        if count <= 64 {
            // Two or four vectors, which may overlap, without a loop.
            let head = source.loadUnaligned(as: Vector.self) ^ keys
            var seen = head | tail
            if count > 32 {
                let nextAt = count &- 32
                let second = source.loadUnaligned(fromByteOffset: 16, as: Vector.self) ^ keys
                let next = source.loadUnaligned(fromByteOffset: nextAt, as: Vector.self) ^ tailKeys
                target.storeBytes(of: second, toByteOffset: 16, as: Vector.self)
                target.storeBytes(of: next, toByteOffset: nextAt, as: Vector.self)
                seen |= second | next
            }
            target.storeBytes(of: head, as: Vector.self)
            target.storeBytes(of: tail, toByteOffset: tailAt, as: Vector.self)
            return seen[0] | seen[1]
        }
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
