/// Bytes that arrived on an ``AsyncConnection``, in the order they were sent.
///
/// A value that may be kept and sent anywhere: its memory belongs to it for as long as it is held.
/// Once it is let go of, its loop uses the memory again, so that taking one message after another
/// allocates nothing.
///
/// `@unchecked Sendable`: the memory is written before the value is made and not again until the
/// value and all its copies are gone.
public struct ReceivedBytes: @unchecked Sendable {
    private let buffer: InboundBuffer

    /// How many bytes there are; never 0.
    public let count: Int

    /// The bytes in `buffer`, which is not written while this value lives.
    init(_ buffer: InboundBuffer) {
        self.buffer = buffer
        count = buffer.count
    }

    /// Lends the bytes for the call.
    public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // The buffer is kept alive by this value, and the span cannot leave the call.
        defer { withExtendedLifetime(buffer) {} }
        return try body(RawSpan(_unsafeBytes: buffer.bytes))
    }
}

extension ReceivedBytes: RandomAccessCollection {
    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    public subscript(position: Int) -> UInt8 {
        precondition(position >= 0 && position < count, "byte \(position) of \(count)")
        return buffer.base.load(fromByteOffset: position, as: UInt8.self)
    }

    public func withContiguousStorageIfAvailable<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        // The memory holds bytes only, and lives for the call.
        try body(
            UnsafeBufferPointer(
                start: buffer.base.assumingMemoryBound(to: UInt8.self), count: count))
    }

    /// How arrays take a sequence's elements: all at once, not one by one.
    public func _copyContents(
        initializing target: UnsafeMutableBufferPointer<UInt8>
    ) -> (IndexingIterator<ReceivedBytes>, Int) {
        let copied = Swift.min(count, target.count)
        // The target has room for them, and is memory of its own.
        target.baseAddress?.initialize(
            from: buffer.base.assumingMemoryBound(to: UInt8.self), count: copied)
        return (IndexingIterator(_elements: self, _position: copied), copied)
    }
}
