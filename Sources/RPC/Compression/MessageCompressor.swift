import CZlib

/// Compresses and inflates whole messages with zlib (RFC 1950), each by itself.
///
/// A compressed message is the length of the original, as 4 bytes big-endian, and the zlib stream.
/// The memory of zlib (about 270 KiB to compress, 40 KiB to inflate) is made when it is first needed.
///
/// Used on its loop only.
final class MessageCompressor {
    /// Why a compressed message cannot be read.
    enum InflateError: Error, Hashable, Sendable {
        /// It is no zlib stream, or one that is cut or damaged.
        case malformed
        /// It inflates to more or less than it says, or bytes follow it.
        case wrongLength
    }

    private let level: Int32
    // unsafe: allocated when first used, freed in deinit, used in between by this object only. zlib
    // keeps their addresses.
    private var deflater: UnsafeMutablePointer<z_stream>?
    private var inflater: UnsafeMutablePointer<z_stream>?

    init(level: Int) {
        precondition((1...9).contains(level), "zlib has no level \(level)")
        self.level = Int32(level)
    }

    deinit {
        if let deflater {
            deflateEnd(deflater)
            deflater.deallocate()
        }
        if let inflater {
            inflateEnd(inflater)
            inflater.deallocate()
        }
    }

    // MARK: - Compressing

    /// The message compressed; `nil` where that does not make it shorter.
    func compress(_ message: UnsafeRawBufferPointer) -> [UInt8]? {
        let stream = readyDeflater()
        // It is of use only where it is shorter: there is no room for anything else.
        let room = message.count - MessageLength.bytes
        guard room > 0, let length = UInt32(exactly: message.count) else { return nil }
        var isShorter = false
        let compressed = [UInt8](unsafeUninitializedCapacity: message.count) { buffer, filled in
            guard let base = buffer.baseAddress else { return }
            UnsafeMutableRawPointer(base).storeBytes(of: length.bigEndian, as: UInt32.self)
            // unsafe: both are of these lengths and last for the call. zlib does not write to its
            // input, although its pointer is a mutable one.
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: message.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.pointee.avail_in = length
            stream.pointee.next_out = base + MessageLength.bytes
            stream.pointee.avail_out = UInt32(room)
            isShorter = deflate(stream, Z_FINISH) == Z_STREAM_END
            filled = MessageLength.bytes + room - Int(stream.pointee.avail_out)
        }
        return isShorter ? compressed : nil
    }

    private func readyDeflater() -> UnsafeMutablePointer<z_stream> {
        if let deflater {
            deflateReset(deflater)
            return deflater
        }
        let made = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        made.initialize(to: z_stream())
        let status = deflateInit_(made, level, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "deflateInit failed with \(status)")
        deflater = made
        return made
    }

    // MARK: - Inflating

    /// The original of a compressed message.
    ///
    /// Never holds more than the message says, nor twice what it has inflated to so far.
    ///
    /// - Parameter message: Says an original length that was checked against the limit.
    /// - Returns: The original.
    /// - Throws: ``InflateError``.
    func inflate(_ message: [UInt8]) throws(InflateError) -> [UInt8] {
        // The pointer is used within the call only.
        try message.span.bytes.withUnsafeBytes { bytes throws(InflateError) in
            try inflate(bytes)
        }
    }

    private func inflate(_ message: UnsafeRawBufferPointer) throws(InflateError) -> [UInt8] {
        guard let length = MessageLength.original(message) else { throw .malformed }
        let stream = readyInflater()
        let input = UnsafeRawBufferPointer(rebasing: message[MessageLength.bytes...])
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(input.count)
        var output: [UInt8] = []
        var status = Z_OK
        while status == Z_OK {
            let step = min(max(16 << 10, output.count), length - output.count)
            // A byte of room beyond the end shows a stream that is longer than it says.
            let piece = [UInt8](unsafeUninitializedCapacity: max(step, 1)) { buffer, filled in
                // unsafe: the buffer has this room, and lasts for the call.
                stream.pointee.next_out = buffer.baseAddress
                stream.pointee.avail_out = UInt32(buffer.count)
                status = CZlib.inflate(stream, Z_NO_FLUSH)
                filled = buffer.count - Int(stream.pointee.avail_out)
            }
            guard output.count + piece.count <= length else { throw .wrongLength }
            output += piece
        }
        guard status == Z_STREAM_END else { throw .malformed }
        guard output.count == length, stream.pointee.avail_in == 0 else { throw .wrongLength }
        return output
    }

    private func readyInflater() -> UnsafeMutablePointer<z_stream> {
        if let inflater {
            inflateReset(inflater)
            return inflater
        }
        let made = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        made.initialize(to: z_stream())
        let status = inflateInit_(made, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "inflateInit failed with \(status)")
        inflater = made
        return made
    }
}
