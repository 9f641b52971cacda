/// Memory for bytes that a task has not taken yet, or holds.
package final class InboundBuffer {
    private static var bytesMin: Int { 512 }

    private(set) var base: UnsafeMutableRawPointer
    package private(set) var capacity: Int
    package private(set) var count = 0

    /// An empty one.
    init(capacity: Int) {
        self.capacity = max(capacity, Self.bytesMin)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    /// What it holds.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Only for a buffer that nobody else holds.
    func removeAll() { count = 0 }

    /// Adds `bytes` at the end. Only for a buffer that nobody reads yet, or that has room for them:
    /// then what it holds stays where it is.
    package func append(_ bytes: UnsafeRawBufferPointer) {
        guard let from = bytes.baseAddress else { return }
        if count + bytes.count > capacity {
            capacity = Self.capacity(for: count + bytes.count)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: base, byteCount: count)
            base.deallocate()
            base = larger
        }
        (base + count).copyMemory(from: from, byteCount: bytes.count)
        count += bytes.count
    }

    /// The next power of two, so that a buffer that grows is copied seldom.
    private static func capacity(for count: Int) -> Int {
        count <= bytesMin ? bytesMin : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
    }
}

/// The buffers of a loop that are used again and again.
///
/// A buffer is lent by handing out a reference; it is free again once the pool's own reference is
/// the only one. In steady state the first one looked at is free, and nothing is allocated.
struct InboundBufferPool: ~Copyable {
    private static var buffersMax: Int { 64 }
    private static var looksMax: Int { 4 }
    /// The largest buffer that is kept.
    private static var capacityMax: Int { 64 << 10 }

    private var buffers: [InboundBuffer] = []
    private var next = 0
    /// Where ``sweepOne()`` looked last.
    private var swept = 0

    /// How many buffers somebody else holds, too; O(buffers).
    mutating func lentCount() -> Int {
        buffers.indices.count { !isKnownUniquelyReferenced(&buffers[$0]) }
    }

    /// The memory that is kept to be used again, lent or not; O(buffers).
    var keptBytes: Int { buffers.reduce(0) { $0 + $1.capacity } }

    /// A buffer that holds a copy of `bytes`.
    mutating func buffer(_ bytes: UnsafeRawBufferPointer) -> InboundBuffer {
        let buffer = empty(for: bytes.count)
        buffer.append(bytes)
        return buffer
    }

    /// A buffer that holds nothing yet and is about to hold `count` bytes.
    mutating func empty(for count: Int) -> InboundBuffer {
        guard count <= Self.capacityMax else { return InboundBuffer(capacity: count) }
        sweepOne()
        for _ in 0..<min(Self.looksMax, buffers.count) {
            if isKnownUniquelyReferenced(&buffers[next]) {
                // One that grew in its connection's hands gives its place to a usual one.
                if buffers[next].capacity > Self.capacityMax {
                    buffers[next] = InboundBuffer(capacity: count)
                } else {
                    buffers[next].removeAll()
                }
                return buffers[next]
            }
            next = next + 1 < buffers.count ? next + 1 : 0
        }
        let made = InboundBuffer(capacity: count)
        if buffers.count < Self.buffersMax {
            next = buffers.count
            buffers.append(made)
        }
        return made
    }

    /// Gives the memory of one buffer back that grew in its connection's hands and is free again: little
    /// traffic after a peak needs the same few buffers, and would keep all the others as they are.
    private mutating func sweepOne() {
        guard !buffers.isEmpty else { return }
        swept = swept + 1 < buffers.count ? swept + 1 : 0
        if buffers[swept].capacity > Self.capacityMax, isKnownUniquelyReferenced(&buffers[swept]) {
            buffers[swept] = InboundBuffer(capacity: 0)
        }
    }
}
