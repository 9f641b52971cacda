/// A message encoded once, to be sent to any number of clients.
///
/// Immutable and shared by reference: a broadcast queues references to it, not copies.
public final class PreparedMessage: Sendable {
    public let kind: MessageKind
    /// Where in the frame the payload begins.
    private let headerBytes: Int
    // unsafe: written in init only and freed in deinit; in between every thread only reads it.
    private nonisolated(unsafe) let frame: UnsafeRawBufferPointer

    /// Encodes `payload` as one unmasked frame.
    ///
    /// - Parameters:
    ///   - payload: Copied. Of a text message it must be UTF-8: clients drop the connection otherwise.
    ///   - kind: Text or binary.
    public init(_ payload: RawSpan, kind: MessageKind) {
        let count = payload.byteCount
        headerBytes = FrameEncoder.headerBytes(payloadBytes: count)
        let target = UnsafeMutableRawBufferPointer.allocate(
            byteCount: headerBytes + count, alignment: 8)
        FrameEncoder.encode(payload, opcode: kind.opcode, into: target)
        self.kind = kind
        frame = UnsafeRawBufferPointer(target)
    }

    /// Encodes `text` as one unmasked text frame.
    public convenience init(text: String) {
        var text = text
        text.makeContiguousUTF8()
        self.init(text.utf8Span.span.bytes, kind: .text)
    }

    deinit {
        frame.deallocate()
    }

    /// The whole frame, header included, as it goes on the wire; valid as long as this object lives.
    public var bytes: UnsafeRawBufferPointer { frame }

    /// The payload alone; valid as long as this object lives.
    public var payload: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: frame[headerBytes...])
    }

    /// Lends the whole frame for the call.
    public func withBytes<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try body(frame.bytes)
    }
}
