/// Bytes collected over several inputs, in memory of their own.
struct GrowingBuffer: ~Copyable {
    /// How much memory may stay with fewer bytes.
    static var trimmedBytesMax: Int { 2 << 10 }

    private var base: UnsafeMutableRawPointer?
    private(set) var capacity = 0
    private(set) var count = 0

    init() {}

    deinit {
        base?.deallocate()
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Appends the payload piece at `source`, unmasked on the way.
    ///
    /// Grows geometrically from what has arrived, so that at most half as much again as was
    /// received, or 512 bytes, are allocated; never more than `expected`.
    ///
    /// - Parameters:
    ///   - source: The first byte of the piece.
    ///   - added: The length of the piece, at least 1.
    ///   - expected: What the buffer may need to hold in the end, at least `count + added`.
    ///   - key: The masking key for the first byte.
    /// - Returns: The bytes as they now lie in the buffer, and whether all are ASCII.
    mutating func append(
        _ source: UnsafeRawPointer,
        count added: Int,
        expected: Int,
        key: MaskingKey
    ) -> (bytes: UnsafeRawPointer, isASCII: Bool) {
        let target = reserve(added, expected: expected) + count
        count += added
        // unsafe: reserve granted `added` bytes behind the old count; the source is the caller's
        // input.
        let seen = Masking.transform(from: source, to: target, count: added, key: key)
        return (UnsafeRawPointer(target), seen & 0x8080_8080_8080_8080 == 0)
    }

    // MARK: - Filled by someone else

    /// A place for `added` bytes behind those there are; ``filled(_:)`` is to follow.
    mutating func room(for added: Int) -> UnsafeMutableRawPointer {
        reserve(added, expected: .max) + count
    }

    /// A place for as many bytes as the memory has, at least one; it grows where it is full, to
    /// `most` bytes in all.
    mutating func room(upTo most: Int) -> UnsafeMutableRawBufferPointer {
        let place = reserve(1, expected: most) + count
        return UnsafeMutableRawBufferPointer(start: place, count: min(capacity, most) - count)
    }

    /// Counts bytes that were written to the room.
    mutating func filled(_ added: Int) {
        precondition(added >= 0 && added <= capacity - count, "\(added) bytes beyond the room")
        count += added
    }

    mutating func removeLast(_ removed: Int) {
        precondition(removed <= count, "\(removed) of \(count) bytes")
        count -= removed
    }

    /// Gives back what memory used before is too large for the bytes there are: more than 2 KiB,
    /// and more than half as much again.
    mutating func trim() {
        guard capacity > max(Self.trimmedBytesMax, count + count / 2) else { return }
        var smaller = GrowingBuffer()
        if let base, count > 0 {
            smaller.reserve(count, expected: .max).copyMemory(from: base, byteCount: count)
            smaller.count = count
        }
        self = smaller
    }

    /// Forgets the bytes and keeps the memory.
    mutating func removeAll() { count = 0 }

    private mutating func reserve(_ added: Int, expected: Int) -> UnsafeMutableRawPointer {
        let needed = count + added
        if let base, needed <= capacity { return base }
        let grown = max(needed + needed / 2, 512)
        let newCapacity = max(needed, min(grown, expected))
        let new = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 16)
        if let base {
            new.copyMemory(from: base, byteCount: count)
            base.deallocate()
        }
        base = new
        capacity = newCapacity
        return new
    }
}
