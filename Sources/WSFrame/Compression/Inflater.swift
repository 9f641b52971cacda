import CZlib

/// Decompresses raw DEFLATE (RFC 1951) with zlib, as far as there is room.
///
/// Holds about 7 KiB, and the window from its first use on, in one ``StreamMemory``.
final class Inflater {
    /// What became of the bytes given.
    struct Outcome {
        /// How many were taken; the rest did not fit the room.
        let consumed: Int
        /// How many were written.
        let produced: Int
        /// Whether they can belong to a DEFLATE stream.
        let isValid: Bool
    }

    private let memory: StreamMemory
    // unsafe: within the memory, which lives as long as this object.
    private let stream: UnsafeMutablePointer<z_stream>
    /// Whether the last bytes taken ended a block with BFINAL, which ends the stream for zlib.
    private(set) var isAtFinalEnd = false
    /// The pool's count when it was last used.
    var round: UInt32 = 0

    /// - Parameters:
    ///   - windowBits: At least what the peer compresses with.
    ///   - memory: The loop's.
    init(windowBits: Int, in memory: ContextMemory) {
        // zlib calls a window of 9 bits one of 8 when it compresses, so that at least 9 are held.
        let bits = max(windowBits, 9)
        self.memory = StreamMemory(StreamMemory.stateBytes + 1 << bits, of: memory)
        stream = self.memory.stream
        let status = inflateInit2_(
            stream, -Int32(bits), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "inflateInit2 failed with \(status)")
    }

    deinit {
        inflateEnd(stream)
    }

    /// Whether the bytes so far end where a block ends.
    var isBetweenBlocks: Bool { isAtFinalEnd || stream.pointee.data_type & 0x80 != 0 }

    /// Begins anew, with an empty window.
    func reset() {
        inflateReset(stream)
        isAtFinalEnd = false
    }

    /// Decompresses bytes of `input` into `target`, until one of them ends.
    func inflate(
        _ input: UnsafeRawPointer, count: Int, into target: UnsafeMutableRawPointer, room: Int
    ) -> Outcome {
        var consumed = 0
        var produced = 0
        while true {
            if isAtFinalEnd, consumed < count {
                // The window outlives the end of a stream (RFC 7692 §7.2.3.4).
                inflateResetKeep(stream)
                isAtFinalEnd = false
            }
            let given = min(count - consumed, Int(Int32.max))
            let granted = min(room - produced, Int(Int32.max))
            // unsafe: `given` bytes are left of the input, `granted` of the room. zlib does not
            // write to its input, although its pointer is a mutable one.
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: (input + consumed).assumingMemoryBound(to: UInt8.self))
            stream.pointee.avail_in = UInt32(given)
            stream.pointee.next_out = (target + produced).assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(granted)
            let status = CZlib.inflate(stream, Z_SYNC_FLUSH)
            consumed += given - Int(stream.pointee.avail_in)
            produced += granted - Int(stream.pointee.avail_out)
            switch status {
            case Z_OK:
                if consumed == count || produced == room { break }
                continue
            case Z_STREAM_END:
                isAtFinalEnd = true
                if consumed == count { break }
                continue
            case Z_BUF_ERROR: break
            case Z_MEM_ERROR: preconditionFailure("inflate: out of memory")
            default: return Outcome(consumed: consumed, produced: produced, isValid: false)
            }
            return Outcome(consumed: consumed, produced: produced, isValid: true)
        }
    }

    // MARK: - Rest

    /// The window, to be given to ``restore(_:)`` of another inflater; only between messages.
    func window() -> [UInt8] {
        var count: UInt32 = 0
        inflateGetDictionary(stream, nil, &count)
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, initialized in
            // unsafe: the buffer has room for `count` bytes, the size of the window now.
            inflateGetDictionary(stream, buffer.baseAddress, &count)
            initialized = Int(count)
        }
    }

    /// Goes on behind the messages that `window` is of; for a new or reset inflater.
    func restore(_ window: [UInt8]) {
        guard !window.isEmpty else { return }
        let status = inflateSetDictionary(stream, window, UInt32(window.count))
        precondition(status == Z_OK, "inflateSetDictionary failed with \(status)")
    }
}
