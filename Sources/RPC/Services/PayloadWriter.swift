/// Memory that a message is encoded into; it grows, and is used again for later messages.
public struct PayloadWriter: ~Copyable {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// How many bytes were written.
    public private(set) var count = 0

    public init() {}

    deinit { memory.deallocate() }

    /// Appends a copy of `bytes`.
    public mutating func append(_ bytes: RawSpan) {
        // The pointer is used within the call only.
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends a copy of `bytes`.
    public mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends the UTF-8 of `text`.
    public mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        if count + bytes.count > memory.count { grow(by: bytes.count) }
        memory.baseAddress?.advanced(by: count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// How many writers that wait to be used again keep their memory, for each shelf; what others grew by
    /// in a peak is given back.
    static let grownMax = 64
    /// What is left to those.
    static let trimmedBytes = 512

    /// Forgets what was written; memory beyond `keeping` bytes is given back.
    mutating func reset(keeping keptBytesMax: Int = 16 << 10) {
        count = 0
        guard memory.count > keptBytesMax else { return }
        memory.deallocate()
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }

    /// How many bytes it holds without growing.
    var capacity: Int { memory.count }

    /// What was written, until it is changed.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// Lends what was written.
    func withSpan<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        // Nothing is written while it is lent: `self` is borrowed.
        try body(RawSpan(_unsafeBytes: bytes))
    }

    @inline(never)
    private mutating func grow(by needed: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(count + needed, memory.count * 2, 256), alignment: 16)
        if let old = memory.baseAddress {
            larger.baseAddress?.copyMemory(from: old, byteCount: count)
        }
        memory.deallocate()
        memory = larger
    }
}
