/// Bytes that the kernel did not take yet, in order; exists only while there are some.
///
/// Small writes are packed into chunks; large shared payloads stay references, files stay files.
/// The bound in bytes is kept by ``Connection``.
struct SendQueue: ~Copyable {
    /// A run of a file's bytes; or, with a mark, the descriptor itself.
    struct FilePiece {
        let descriptor: Int32
        var offset: Int
        var count: Int
        var mark: UInt8?
    }

    private struct Entry {
        /// `nil` for a piece of a file.
        var start: UnsafeRawPointer?
        var count: Int
        /// Keeps a referenced payload or file alive; `nil` for a chunk of our own.
        var owner: Unmanaged<AnyObject>?
        /// The memory of a chunk of our own, and its size.
        var chunk: UnsafeMutableRawPointer?
        var capacity: Int
        var file: FilePiece?
    }

    private static var chunkBytesMin: Int { 1 << 10 }
    private static var chunkBytesMax: Int { 64 << 10 }

    private var entries: [Entry] = []
    private var first = 0

    /// Bytes of memory that wait.
    private(set) var bytes = 0
    /// Files that wait.
    private(set) var files = 0

    var isEmpty: Bool { first == entries.count }

    /// The piece of a file to send next; `nil` where bytes of memory are to be sent.
    var firstFile: FilePiece? { isEmpty ? nil : entries[first].file }

    deinit {
        for entry in entries[first...] { Self.release(entry) }
    }

    /// Copies `source` to the end.
    mutating func append(copying source: UnsafeRawBufferPointer) {
        guard let from = source.baseAddress, source.count > 0 else { return }
        bytes += source.count
        if let last = entries.indices.last, last >= first, let chunk = entries[last].chunk,
            let start = entries[last].start
        {
            let end = start - UnsafeRawPointer(chunk) + entries[last].count
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

    /// Puts a piece of a file at the end, kept open by `owner`.
    mutating func append(_ piece: FilePiece, retained owner: Unmanaged<AnyObject>) {
        files += 1
        entries.append(
            Entry(start: nil, count: 0, owner: owner, chunk: nil, capacity: 0, file: piece))
    }

    /// Writes the first runs of bytes, up to a file, into `segments` and returns how many.
    func fill(_ segments: UnsafeMutableBufferPointer<Segment>) -> Int {
        let countMax = min(segments.count, entries.count - first)
        var count = 0
        while count < countMax, let start = entries[first + count].start {
            segments[count] = Segment(base: start, count: entries[first + count].count)
            count += 1
        }
        return count
    }

    /// Forgets the first `count` bytes of the file that stands first.
    mutating func consumeFile(_ count: Int) {
        guard var piece = entries[first].file else {
            preconditionFailure("\(count) bytes sent of a file, and none was first")
        }
        piece.offset += count
        piece.count -= count
        entries[first].file = piece
        guard piece.count == 0 else { return }
        files -= 1
        Self.release(entries[first])
        first += 1
        compact()
    }

    /// Forgets the first `count` bytes, which the kernel has, and gives their owners away: the last
    /// release of one runs code of others, who may write to this very queue.
    mutating func consume(_ count: Int, _ released: inout ReleasedOwners) {
        precondition(count <= bytes, "\(count) bytes sent of \(bytes) queued")
        bytes -= count
        var left = count
        while left > 0 {
            if entries[first].count > left, let start = entries[first].start {
                entries[first].start = start + left
                entries[first].count -= left
                left = 0
            } else {
                left -= entries[first].count
                if let owner = entries[first].owner { released.add(owner) }
                entries[first].chunk?.deallocate()
                first += 1
            }
        }
        compact()
    }

    /// Now and then, so that a queue that never empties stays bounded.
    private mutating func compact() {
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
