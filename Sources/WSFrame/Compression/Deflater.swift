import CZlib

/// What makes two compressors alike.
struct DeflaterKey: Hashable, Sendable {
    let windowBits: UInt8
    let level: UInt8
    let memoryLevel: UInt8
}

/// Compresses messages to raw DEFLATE (RFC 1951) with zlib.
///
/// Holds 2^(windowBits + 2) + 2^(memoryLevel + 9) bytes and about 6 KiB, in one ``StreamMemory``.
final class Deflater {
    let key: DeflaterKey
    private let memory: StreamMemory
    // unsafe: within the memory, which lives as long as this object.
    private let stream: UnsafeMutablePointer<z_stream>
    /// The pool's count when it was last used.
    var round: UInt32 = 0

    /// What a message's compressed bytes end with, and what is not sent (RFC 7692 §7.2.1).
    static let tailBytes = 4

    init(_ key: DeflaterKey, in memory: ContextMemory) {
        precondition((9...15).contains(key.windowBits), "window of \(key.windowBits) bits")
        self.key = key
        let tables = 1 << (Int(key.windowBits) + 2) + 1 << (Int(key.memoryLevel) + 9)
        self.memory = StreamMemory(StreamMemory.stateBytes + tables, of: memory)
        stream = self.memory.stream
        let status = deflateInit2_(
            stream, Int32(key.level), Z_DEFLATED, -Int32(key.windowBits), Int32(key.memoryLevel),
            Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "deflateInit2 failed with \(status)")
    }

    deinit {
        deflateEnd(stream)
    }

    /// Begins anew, with an empty window.
    func reset() { deflateReset(stream) }

    /// Compresses one message.
    ///
    /// - Parameters:
    ///   - message: At least one byte.
    ///   - output: Emptied and filled with what goes on the wire (RFC 7692 §7.2.1).
    func deflate(_ message: UnsafeRawBufferPointer, into output: inout GrowingBuffer) {
        guard let base = message.baseAddress, !message.isEmpty else {
            preconditionFailure("an empty message is not compressed")
        }
        output.removeAll()
        // Enough for most; zlib's bound knows nothing of the flush.
        var room = Int(deflateBound(stream, UInt(message.count))) + 16
        var consumed = 0
        while true {
            let target = output.room(for: room)
            let given = min(message.count - consumed, Int(Int32.max))
            let granted = min(room, Int(Int32.max))
            let flush = consumed + given == message.count ? Z_SYNC_FLUSH : Z_NO_FLUSH
            // unsafe: `given` bytes are left of the message; the output has room for `granted`.
            // zlib does not write to its input, although its pointer is a mutable one.
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: (base + consumed).assumingMemoryBound(to: UInt8.self))
            stream.pointee.avail_in = UInt32(given)
            stream.pointee.next_out = target.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(granted)
            let status = CZlib.deflate(stream, flush)
            precondition(status == Z_OK || status == Z_BUF_ERROR, "deflate failed with \(status)")
            consumed += given - Int(stream.pointee.avail_in)
            let left = Int(stream.pointee.avail_out)
            output.filled(granted - left)
            // With room left the flush is complete.
            if left > 0, consumed == message.count { break }
            room = max(output.count / 2, 64)
        }
        output.removeLast(Self.tailBytes)
    }
}
