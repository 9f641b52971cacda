import CWSFrame

/// Slots of equal size in one piece of pages.
///
/// A free slot holds no memory of the system's: its pages were never touched, or given back.
final class ContextSlab {
    /// The most slots: as many as a word has bits.
    static let slotsMax = 64
    /// The most address space, but for a slab of a few large slots.
    static let bytesMax = 4 << 20

    let slotBytes: Int
    /// Its place in the list of those with a free slot; `nil` where it is in none.
    var openIndex: Int?
    private let pages: UnsafeMutableRawPointer
    private let slots: Int
    /// A bit for each free slot.
    private var free: UInt64

    /// - Parameter slotBytes: A multiple of the page size.
    init(slotBytes: Int) {
        self.slotBytes = slotBytes
        slots = Self.slots(of: slotBytes)
        free = .max >> UInt64(Self.slotsMax - slots)
        guard let pages = cwsframe_pages_reserve(slots * slotBytes) else {
            preconditionFailure("out of memory: \(slots * slotBytes) bytes for contexts")
        }
        self.pages = pages
    }

    deinit {
        cwsframe_pages_release(pages, bytes)
    }

    private static func slots(of bytes: Int) -> Int { min(max(bytesMax / bytes, 1), slotsMax) }

    /// The address space it takes.
    var bytes: Int { slots * slotBytes }

    var isFull: Bool { free == 0 }

    var isUnused: Bool { free.nonzeroBitCount == slots }

    /// Takes a free slot; there has to be one.
    func take() -> ContextSlot {
        precondition(!isFull, "no slot of the slab is free")
        let index = free.trailingZeroBitCount
        free &= free - 1
        return ContextSlot(slab: self, memory: pages + index * slotBytes)
    }

    /// Takes a slot back, without its memory.
    func give(_ slot: ContextSlot) {
        let index = (slot.memory - pages) / slotBytes
        assert(free & 1 << UInt64(index) == 0, "slot \(index) is free already")
        free |= 1 << UInt64(index)
    }
}

/// Memory of a slab, for whoever took it.
struct ContextSlot {
    let slab: ContextSlab
    let memory: UnsafeMutableRawPointer
}
