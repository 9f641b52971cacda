import CZlib

/// A stream of zlib's with all it allocates, in one slot of the loop's ``ContextMemory``.
struct StreamMemory: ~Copyable {
    /// What zlib's state takes beside its windows and tables, with room to spare.
    static let stateBytes = 8 << 10

    /// What stands at the slot's start. The stream is its first field: the address of one is that of
    /// the other.
    private struct Head {
        var stream = z_stream()
        /// The bytes in use, this included.
        var used: Int
        let bytes: Int
        /// The stream's memory is given back before this ends.
        let owner: Unmanaged<ContextMemory>
    }

    private let slot: ContextSlot
    private let owner: ContextMemory

    /// - Parameters:
    ///   - bytes: What zlib is expected to ask for; more comes from malloc.
    ///   - owner: Whose slot it is.
    init(_ bytes: Int, of owner: ContextMemory) {
        self.owner = owner
        slot = owner.take(bytes)
        // unsafe: the slot is of whole pages, and so large and aligned enough.
        let head = slot.memory.bindMemory(to: Head.self, capacity: 1)
        head.initialize(
            to: Head(
                used: Self.aligned(MemoryLayout<Head>.size), bytes: slot.slab.slotBytes,
                owner: .passUnretained(owner)))
        head.pointee.stream.opaque = slot.memory
        head.pointee.stream.zalloc = { opaque, items, size in
            StreamMemory.allocate(opaque, Int(items) * Int(size))
        }
        head.pointee.stream.zfree = { opaque, address in StreamMemory.free(opaque, address) }
    }

    deinit {
        owner.give(slot)
    }

    /// zlib keeps its address.
    var stream: UnsafeMutablePointer<z_stream> {
        // unsafe: the first field of what `init` wrote there.
        slot.memory.assumingMemoryBound(to: z_stream.self)
    }

    /// Vector code of zlib's wants its tables so.
    private static func aligned(_ bytes: Int) -> Int { (bytes + 63) & ~63 }

    /// zlib's `zalloc`, with what ``stream`` points to as its `opaque`.
    static func allocate(_ opaque: UnsafeMutableRawPointer?, _ bytes: Int)
        -> UnsafeMutableRawPointer?
    {
        guard let opaque else { return nil }
        // unsafe: what `init` wrote there, and nobody else holds meanwhile.
        let head = opaque.assumingMemoryBound(to: Head.self)
        let place = head.pointee.used
        guard bytes <= head.pointee.bytes - place else {
            head.pointee.owner._withUnsafeGuaranteedRef { $0.strayRequests += 1 }
            return .allocate(byteCount: bytes, alignment: 64)
        }
        head.pointee.used = min(aligned(place + bytes), head.pointee.bytes)
        return opaque + place
    }

    /// zlib's `zfree`; what lies in the slot is freed with it.
    static func free(
        _ opaque: UnsafeMutableRawPointer?, _ address: UnsafeMutableRawPointer?
    ) {
        guard let opaque, let address else { return }
        let end = opaque + opaque.assumingMemoryBound(to: Head.self).pointee.bytes
        if address < opaque || address >= end { address.deallocate() }
    }
}
