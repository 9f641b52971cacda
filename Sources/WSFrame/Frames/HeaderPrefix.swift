/// The first bytes of a frame header that the end of an input cut off, held inline.
@usableFromInline
struct HeaderPrefix: Sendable {
    private var bytes = InlineArray<14, UInt8>(repeating: 0)
    private(set) var count: UInt8 = 0

    var firstByte: UInt8 { bytes[0] }

    /// Appends what there is room for of the bytes at `source`.
    mutating func append(_ source: UnsafeRawPointer, count available: Int) {
        for offset in 0..<min(available, FrameHeader.bytesMax - Int(count)) {
            // unsafe: offset < available, which the caller's input holds.
            bytes[Int(count)] = source.load(fromByteOffset: offset, as: UInt8.self)
            count += 1
        }
    }

    func withBytes<R>(
        _ body: (UnsafeRawPointer) throws(ProtocolViolation) -> R
    ) throws(ProtocolViolation) -> R {
        try withUnsafePointer(to: bytes) { (pointer) throws(ProtocolViolation) in
            try body(UnsafeRawPointer(pointer))
        }
    }
}
