/// Bytes that the kernel did not take yet, in order; exists only while there are some.
///
/// Small writes are packed into chunks; large shared payloads stay references. The bound in bytes
/// is kept by ``Connection``.
struct SendQueue: ~Copyable {
    private struct Entry {
        var start: UnsafeRawPointer
        var count: Int
        /// Keeps a referenced payload alive; `nil` for a chunk of our own.
        var owner: Unmanaged<AnyObject>?
        /// The memory of a chunk of our own, and its size.
        var chunk: UnsafeMutableRawPointer?
        var capacity: Int
    }

    private static var chunkBytesMin: Int { 1 << 10 }
    private static var chunkBytesMax: Int { 64 << 10 }

    private var entries: [Entry] = []
    private var first = 0

    /// Bytes that wait.
    private(set) var bytes = 0

    var isEmpty: Bool { bytes == 0 }

    deinit {
        for entry in entries[first...] { Self.release(entry) }
    }

    /// Copies `source` to the end.
    mutating func append(copying source: UnsafeRawBufferPointer) {
        guard let from = source.baseAddress, source.count > 0 else { return }
        bytes += source.count
        if let last = entries.indices.last, last >= first, let chunk = entries[last].chunk {
            let end = entries[last].start - UnsafeRawPointer(chunk) + entries[last].count
            if entries[last].capacity - end >= source.count {
                (chunk + end).copyMemory(from: from, byteCount: source.count)
                entries[last].count += source.count
                return
            }
        }
        let capacity = max(
            source.count, min(Self.chunkBytesMax, max(Self.chunkBytesMin, bytes.roundedToPower)))
        let chunk = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        chunk.copyMemory(from: from, byteCount: source.count)
        entries.append(
            Entry(
                start: UnsafeRawPointer(chunk), count: source.count, owner: nil, chunk: chunk,
                capacity: capacity))
    }

    /// Puts a reference at the end; the queue takes over one retain of `owner`.
    mutating func append(_ segment: Segment, retained owner: Unmanaged<AnyObject>) {
        bytes += segment.count
        entries.append(
            Entry(
                start: segment.base, count: segment.count, owner: owner, chunk: nil, capacity: 0))
    }

    /// Writes the first runs of bytes into `segments` and returns how many.
    func fill(_ segments: UnsafeMutableBufferPointer<Segment>) -> Int {
        let count = min(segments.count, entries.count - first)
        for index in 0..<count {
            let entry = entries[first + index]
            segments[index] = Segment(base: entry.start, count: entry.count)
        }
        return count
    }

    /// Forgets the first `count` bytes: the kernel has them.
    mutating func consume(_ count: Int) {
        precondition(count <= bytes, "\(count) bytes sent of \(bytes) queued")
        bytes -= count
        var left = count
        while left > 0 {
            if entries[first].count > left {
                entries[first].start += left
                entries[first].count -= left
                left = 0
            } else {
                left -= entries[first].count
                Self.release(entries[first])
                first += 1
            }
        }
        // Compact now and then, so that a queue that never empties stays bounded.
        if first > 32, first * 2 > entries.count {
            entries.removeFirst(first)
            first = 0
        }
    }

    private static func release(_ entry: Entry) {
        entry.owner?.release()
        entry.chunk?.deallocate()
    }
}

extension Int {
    /// The next power of two not below this positive number.
    fileprivate var roundedToPower: Int {
        self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
    }
}
