/// Bytes that arrived, in the order they were sent: what an ``AsyncConnection`` read, or a message
/// of a protocol above it.
///
/// A value that may be kept and sent anywhere: its memory belongs to it for as long as it is held.
/// Once it is let go of, its loop uses the memory again, so that taking one message after another
/// allocates nothing.
///
/// `@unchecked Sendable`: the memory is written before the value is made and not again until the
/// value and all its copies are gone.
public struct ReceivedBytes: @unchecked Sendable {
    private let buffer: InboundBuffer

    /// Where in the buffer they begin.
    private let offset: Int

    /// How many bytes there are; of a connection's never 0.
    public let count: Int

    /// The bytes in `buffer`, which are not written while this value lives.
    init(_ buffer: InboundBuffer) {
        self.init(buffer, 0..<buffer.count)
    }

    /// A range of the bytes in `buffer`, which stay where they are while this value lives.
    package init(_ buffer: InboundBuffer, _ range: Range<Int>) {
        self.buffer = buffer
        offset = range.lowerBound
        count = range.count
    }

    /// Lends the bytes for the call.
    public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // The buffer is kept alive by this value, and the span cannot leave the call.
        defer { withExtendedLifetime(buffer) {} }
        return try body(
            RawSpan(_unsafeStart: UnsafeRawPointer(buffer.base + offset), byteCount: count))
    }
}

extension ReceivedBytes: RandomAccessCollection {
    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    public subscript(position: Int) -> UInt8 {
        precondition(position >= 0 && position < count, "byte \(position) of \(count)")
        return buffer.base.load(fromByteOffset: offset + position, as: UInt8.self)
    }

    public func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        // The memory holds bytes only, and lives for the call.
        try body(
            UnsafeBufferPointer(
                start: (buffer.base + offset).assumingMemoryBound(to: UInt8.self), count: count))
    }

    /// How arrays take a sequence's elements: all at once, not one by one.
    // swift-format-ignore: NoLeadingUnderscores
    public func _copyContents(
        initializing target: UnsafeMutableBufferPointer<UInt8>
    ) -> (IndexingIterator<ReceivedBytes>, Int) {
        let copied = Swift.min(count, target.count)
        // The target has room for them, and is memory of its own.
        target.baseAddress?.initialize(
            from: (buffer.base + offset).assumingMemoryBound(to: UInt8.self), count: copied)
        return (IndexingIterator(_elements: self, _position: copied), copied)
    }
}
