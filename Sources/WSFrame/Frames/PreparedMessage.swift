internal import CWSFrame

/// A message encoded once, to be sent to any number of clients.
///
/// Immutable and shared by reference: a broadcast queues references to it, not copies. Where
/// connections compress, it is compressed once for each set of parameters among them.
public final class PreparedMessage: Sendable {
    public let kind: MessageKind
    let mayBeCompressed: Bool
    /// Where in the frame the payload begins.
    private let headerBytes: Int
    // unsafe: written in init only and freed in deinit; in between every thread only reads it.
    private nonisolated(unsafe) let frame: UnsafeRawBufferPointer
    // unsafe: the first of the compressed forms, retained; lies before the frame in its memory. It
    // is read and replaced by atomic operations only until deinit, which nobody else sees.
    private nonisolated(unsafe) let compressed: UnsafeMutablePointer<UnsafeMutableRawPointer?>

    /// Encodes `payload` as one unmasked frame.
    ///
    /// - Parameters:
    ///   - payload: Copied. Of a text message it must be UTF-8: clients drop the connection
    ///     otherwise.
    ///   - kind: Text or binary.
    ///   - compression: Whether it may be compressed.
    public init(
        _ payload: RawSpan, kind: MessageKind, compression: MessageCompression = .automatic
    ) {
        let count = payload.byteCount
        headerBytes = FrameEncoder.headerBytes(payloadBytes: count)
        let slotBytes = MemoryLayout<UnsafeMutableRawPointer?>.size
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: slotBytes + headerBytes + count, alignment: 8)
        // unsafe: the memory was just allocated with room for the slot and the frame behind it.
        guard let base = memory.baseAddress else { preconditionFailure("no memory") }
        compressed = base.initializeMemory(as: UnsafeMutableRawPointer?.self, to: nil)
        let target = UnsafeMutableRawBufferPointer(rebasing: memory[slotBytes...])
        FrameEncoder.encode(payload, opcode: kind.opcode, into: target)
        self.kind = kind
        mayBeCompressed = compression == .automatic
        frame = UnsafeRawBufferPointer(target)
    }

    /// Encodes `text` as one unmasked text frame.
    public convenience init(text: String, compression: MessageCompression = .automatic) {
        var text = text
        text.makeContiguousUTF8()
        self.init(text.utf8Span.span.bytes, kind: .text, compression: compression)
    }

    deinit {
        if let first = compressed.pointee {
            // unsafe: retained when it was published.
            Unmanaged<Compressed>.fromOpaque(first).release()
        }
        compressed.deallocate()
    }

    /// The whole frame, header included, as it goes on the wire; valid as long as this object
    /// lives.
    public var bytes: UnsafeRawBufferPointer { frame }

    /// The payload alone; valid as long as this object lives.
    public var payload: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: frame[headerBytes...])
    }

    /// Lends the whole frame for the call.
    public func withBytes<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try body(frame.bytes)
    }

    // MARK: - Compressed forms

    /// A message compressed without a context, for one window and level.
    package final class Compressed: Sendable {
        let key: DeflaterKey
        private let headerBytes: Int
        // unsafe: written in init only and freed in deinit; in between every thread only reads it.
        private nonisolated(unsafe) let frame: UnsafeRawBufferPointer
        // unsafe: set before the object is published, and not again.
        nonisolated(unsafe) fileprivate var next: Compressed?

        /// Encodes one unmasked frame; `nil` for a message that does not become smaller.
        fileprivate init(_ payload: UnsafeRawBufferPointer?, kind: MessageKind, key: DeflaterKey) {
            self.key = key
            let count = payload?.count ?? 0
            headerBytes = payload == nil ? 0 : FrameEncoder.headerBytes(payloadBytes: count)
            let target = UnsafeMutableRawBufferPointer.allocate(
                byteCount: headerBytes + count, alignment: 8)
            if let payload {
                FrameEncoder.encode(
                    payload.bytes, opcode: kind.opcode, isCompressed: true, into: target)
            }
            frame = UnsafeRawBufferPointer(target)
        }

        deinit { frame.deallocate() }

        /// The whole frame; empty for a message that does not become smaller.
        package var bytes: UnsafeRawBufferPointer { frame }

        package var payload: UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: frame[headerBytes...])
        }
    }

    /// The form for `key`, made by the first who asks; two loops that ask at once may both make it,
    /// and one is kept.
    ///
    /// - Returns: `nil` where it would not be smaller.
    func compressed(with key: DeflaterKey, pool: DeflatePool) -> Compressed? {
        var first = cwsframe_published(compressed)
        if let found = Self.find(key, from: first) { return found.bytes.isEmpty ? nil : found }
        let result = pool.compressed(payload, with: key)
        let made = Compressed(
            result.count < payload.count ? result : nil, kind: kind, key: key)
        let retained = Unmanaged.passRetained(made)
        while true {
            // unsafe: what is published stays retained until deinit.
            made.next = first.map { Unmanaged<Compressed>.fromOpaque($0).takeUnretainedValue() }
            if cwsframe_publish(compressed, first, retained.toOpaque()) {
                // The form that was first is kept by this one's `next` from now on.
                if let first { Unmanaged<Compressed>.fromOpaque(first).release() }
                break
            }
            first = cwsframe_published(compressed)
            if let found = Self.find(key, from: first) {
                retained.release()
                return found.bytes.isEmpty ? nil : found
            }
        }
        return made.bytes.isEmpty ? nil : made
    }

    private static func find(
        _ key: DeflaterKey, from first: UnsafeMutableRawPointer?
    ) -> Compressed? {
        // unsafe: what is published stays retained until deinit.
        var form = first.map { Unmanaged<Compressed>.fromOpaque($0).takeUnretainedValue() }
        while let found = form, found.key != key { form = found.next }
        return form
    }
}
