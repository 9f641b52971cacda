/// Bytes collected over several inputs, in memory of their own.
struct GrowingBuffer: ~Copyable {
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
    /// Grows geometrically from what has arrived, so that at most twice the received bytes (and 512)
    /// are allocated; never beyond `expected`.
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
        // unsafe: reserve granted `added` bytes behind the old count; the source is the caller's input.
        let seen = Masking.transform(from: source, to: target, count: added, key: key)
        return (UnsafeRawPointer(target), seen & 0x8080_8080_8080_8080 == 0)
    }

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
