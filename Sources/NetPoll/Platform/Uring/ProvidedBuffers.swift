#if os(Linux)
    internal import CNetPoll
    internal import Glibc

    /// The buffers a kernel receives into, chosen by it when bytes arrive (IORING_REGISTER_PBUF_RING):
    /// a connection that is silent holds none.
    final class ProvidedBuffers {
        let count: Int
        let bufferBytes: Int
        private let places: UnsafeMutableRawPointer
        private let memory: UnsafeMutableRawPointer
        private let stride: Int
        // Loop-owned, and no call of this class reaches another use of it.
        @exclusivity(unchecked) private var tail: UInt16 = 0

        /// - Parameters:
        ///   - count: A power of two, at most 32,768.
        ///   - bufferBytes: The size of each.
        ///   - ring: Whose kernel side uses them.
        /// - Throws: ``SystemError`` where memory is exhausted.
        init(count: Int, bufferBytes: Int, for ring: Ring) throws(SystemError) {
            precondition(
                count > 0 && count <= 1 << 15 && count & (count - 1) == 0,
                "\(count) provided buffers")
            self.count = count
            self.bufferBytes = bufferBytes
            // A cache line more than the size: buffers of a round size would all begin in the same
            // set of the cache.
            stride = (bufferBytes + 127) & ~63
            places = .allocate(byteCount: max(count * 16, 4_096), alignment: 4_096)
            places.initializeMemory(as: UInt8.self, repeating: 0, count: count * 16)
            memory = .allocate(byteCount: count * stride, alignment: 64)
            // Where this throws, deinit runs: everything is initialised.
            try ring.provide(places, count: count)
            for id in 0..<count { giveBack(UInt16(id)) }
        }

        deinit {
            places.deallocate()
            memory.deallocate()
        }

        @inline(__always)
        func bytes(_ id: UInt16, _ count: Int) -> UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(start: memory + Int(id) * stride, count: count)
        }

        /// Lets the kernel use a buffer again.
        @inline(__always)
        func giveBack(_ id: UInt16) {
            cnetpoll_ring_give(
                places, tail, UInt32(count - 1), memory + Int(id) * stride, UInt32(bufferBytes), id)
            tail &+= 1
        }
    }
#endif
