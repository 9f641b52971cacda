/// Memory for trivially numbered elements that never move: it grows by whole chunks of 2 MiB.
///
/// Growing copies nothing but pointers to chunks, so an element's cost does not depend on how many
/// there are. Pages of a chunk take memory once they are touched; the kernel is asked to back all
/// chunks but the first with huge pages, so that using very many elements in any order misses the
/// caches alone and not the page tables, too. Chunks are kept until the end.
///
/// Elements are initialized and deinitialized by who uses the storage.
struct ChunkedStorage<Element>: ~Copyable {
    private static var chunkBytes: Int { 2 << 20 }
    /// A power of two, so that finding an element takes a shift.
    private static var shift: Int {
        Int.bitWidth - 1 - (chunkBytes / MemoryLayout<Element>.stride).leadingZeroBitCount
    }
    private static var elementsPerChunk: Int { 1 << shift }

    private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
    private var chunksMax = 16
    private var chunkCount = 0

    init() {
        chunks = .allocate(capacity: chunksMax)
    }

    deinit {
        for index in 0..<chunkCount { UnsafeMutableRawPointer(chunks[index]).deallocate() }
        chunks.deallocate()
    }

    /// Elements there is room for.
    var capacity: Int { chunkCount &<< Self.shift }

    /// Where the element at `index` is, which must be below ``capacity``.
    @inline(__always)
    func pointer(_ index: Int) -> UnsafeMutablePointer<Element> {
        assert(index < capacity, "element \(index) of \(capacity)")
        return chunks[index &>> Self.shift] + (index & (Self.elementsPerChunk &- 1))
    }

    @inline(never)
    mutating func grow() {
        if chunkCount == chunksMax {
            let larger = UnsafeMutablePointer<UnsafeMutablePointer<Element>>.allocate(
                capacity: chunksMax * 2)
            larger.moveInitialize(from: chunks, count: chunkCount)
            chunks.deallocate()
            chunks = larger
            chunksMax *= 2
        }
        // Aligned to a huge page, of which a chunk is one.
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: Self.chunkBytes, alignment: Self.chunkBytes)
        // A loop of few timers must not pay for a whole huge page.
        if chunkCount > 0 { Platform.preferHugePages(memory, byteCount: Self.chunkBytes) }
        let bound = memory.bindMemory(to: Element.self, capacity: Self.elementsPerChunk)
        (chunks + chunkCount).initialize(to: bound)
        chunkCount += 1
    }
}
