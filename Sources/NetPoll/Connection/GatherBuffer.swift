/// The bytes that one turn's writes gathered, for all connections of a loop.
///
/// Writes of a turn are appended here, and flushed with one send per connection when the turn ends, when
/// it is full, and after each ``EventLoop/Configuration/jobsPerFlushMax`` jobs of tasks.
/// A connection's writes form a chain of pieces; a write that follows the connection's own last
/// one directly extends its piece, so a connection that writes alone has one piece. Nothing is
/// allocated: when the turn's bytes are sent or moved to send queues, the buffer is reset.
///
///     ┌ next: UInt32 ┬ count: UInt32 ┬ bytes … ┐           a copied piece
///     ┌ next: UInt32 ┬ count | bit31 ┬ Reference ┐         a referenced one
struct GatherBuffer: ~Copyable {
    /// Memory that a connection refers to instead of copying, kept alive by `owner`.
    struct Reference {
        let segment: Segment
        let owner: Unmanaged<AnyObject>
    }

    static var none: UInt32 { .max }
    private static var headerBytes: Int { 8 }
    private static var referenceBit: UInt32 { 1 << 31 }

    let capacity: Int
    private let base: UnsafeMutableRawPointer
    private(set) var used = 0

    init(capacity: Int) {
        precondition(capacity < Int(Int32.max), "gather buffer of \(capacity) bytes")
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    mutating func reset() { used = 0 }

    /// Whether `count` bytes fit with a header of their own.
    func fits(_ count: Int) -> Bool {
        Self.aligned(used) + Self.headerBytes + count <= capacity
    }

    /// Whether the piece at `offset` can grow in place: it is the last and holds bytes.
    func isExtensible(_ offset: UInt32) -> Bool {
        let word = countWord(offset)
        return word & Self.referenceBit == 0
            && Int(offset) + Self.headerBytes + Int(word) == used
    }

    /// Grows the piece at `offset` by `count` bytes, at most 64 KiB, if it is the last, holds bytes
    /// and there is room, and returns where they go.
    @inline(__always)
    mutating func extendIfLast(_ offset: UInt32, by count: Int) -> UnsafeMutableRawPointer? {
        let word = countWord(offset)
        // The sums are below 2^32: a piece ends within the buffer.
        guard word & Self.referenceBit == 0,
            Int(offset) &+ Self.headerBytes &+ Int(word) == used,
            used &+ count <= capacity
        else { return nil }
        setCountWord(offset, word &+ UInt32(truncatingIfNeeded: count))
        let place = base + used
        used &+= count
        return place
    }

    /// Grows the last piece by `count` bytes and returns where they go.
    mutating func extend(_ offset: UInt32, by count: Int) -> UnsafeMutableRawPointer {
        setCountWord(offset, countWord(offset) + UInt32(count))
        let place = base + used
        used += count
        return place
    }

    /// Gives back the last `count` bytes of the last piece, reserved but not written.
    mutating func giveBack(_ offset: UInt32, _ count: Int) {
        setCountWord(offset, countWord(offset) - UInt32(count))
        used -= count
    }

    /// Starts a piece of `count` bytes and returns its offset and where the bytes go.
    mutating func start(_ count: Int) -> (offset: UInt32, bytes: UnsafeMutableRawPointer) {
        let offset = newPiece(countWord: UInt32(count))
        let place = base + used
        used += count
        return (offset, place)
    }

    /// Starts a piece that refers to `reference`, whose owner the buffer now holds.
    mutating func start(_ reference: Reference) -> UInt32 {
        let offset = newPiece(countWord: Self.referenceBit)
        // The place is 8-aligned and inside the buffer: fits(_:) was asked for this size.
        (base + used).initializeMemory(as: Reference.self, to: reference)
        used += MemoryLayout<Reference>.size
        return offset
    }

    mutating func link(_ offset: UInt32, to next: UInt32) {
        (base + Int(offset)).storeBytes(of: next, as: UInt32.self)
    }

    func next(after offset: UInt32) -> UInt32 {
        (base + Int(offset)).load(as: UInt32.self)
    }

    /// The bytes of a piece.
    func segment(_ offset: UInt32) -> Segment {
        if let reference = reference(offset) { return reference.segment }
        return Segment(
            base: base + Int(offset) + Self.headerBytes, count: Int(countWord(offset)))
    }

    /// The reference of a piece; `nil` where its bytes are in the buffer.
    func reference(_ offset: UInt32) -> Reference? {
        guard countWord(offset) & Self.referenceBit != 0 else { return nil }
        return (base + Int(offset) + Self.headerBytes).load(as: Reference.self)
    }

    private mutating func newPiece(countWord: UInt32) -> UInt32 {
        let offset = Self.aligned(used)
        assert(offset + Self.headerBytes <= capacity, "piece at \(offset) of \(capacity)")
        used = offset + Self.headerBytes
        link(UInt32(offset), to: Self.none)
        setCountWord(UInt32(offset), countWord)
        return UInt32(offset)
    }

    private func countWord(_ offset: UInt32) -> UInt32 {
        (base + Int(offset) + 4).load(as: UInt32.self)
    }

    private func setCountWord(_ offset: UInt32, _ word: UInt32) {
        (base + Int(offset) + 4).storeBytes(of: word, as: UInt32.self)
    }

    private static func aligned(_ count: Int) -> Int { (count + 7) & ~7 }
}

/// What a turn gathered for one connection; its pieces are in the ``GatherBuffer``.
struct GatheredWrites {
    /// Kept alive by its slot until its end is carried out.
    let connection: Unmanaged<Connection>
    var head = GatherBuffer.none
    var tail = GatherBuffer.none
    var bytes = 0
}
