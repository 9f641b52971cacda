import CWSFrame

/// The memory of a loop's compression contexts, which goes back to the system when they do.
///
/// Malloc would keep it: between what lives on, or in arenas that only a call for the whole process
/// returns, which holds up every thread that allocates meanwhile. Here a context's memory is one slot
/// of whole pages, and giving it back is one system call that concerns nobody else.
///
///     free ──take──▶ taken ──give──▶ spare, its memory kept ──take──▶ taken
///      ▲               └─give, while giving back─▶ free │
///      └────────────────giveBackSpares(_:)──────────────┘
///
/// A connection that ends leaves its memory for the next one, and costs no system call.
///
/// Not `Sendable`: used by one loop only.
final class ContextMemory {
    /// The slots of one size.
    private struct SizeClass {
        let slotBytes: Int
        /// Slots that were given back and whose memory is kept.
        var spares: [ContextSlot] = []
        /// The slabs that have a free slot.
        var open: [ContextSlab] = []
    }

    private let pageBytes = Int(cwsframe_page_bytes())
    /// As many as there are settings in use, and few.
    private var classes: [SizeClass] = []
    /// The address space of all slabs.
    private(set) var mappedBytes = 0
    /// The slots whose memory may be resident: taken ones, and spares.
    private(set) var heldBytes = 0
    /// How many slots are spare.
    private(set) var spareCount = 0
    /// What zlib asked for beyond the memory of its stream, and got from malloc.
    var strayRequests = 0
    /// Whether what is given back now will not be wanted soon, and is not kept.
    var isGivingBack = false

    /// Memory of at least `bytes` bytes, which may hold anything.
    ///
    /// Complexity: O(1) in the number of contexts.
    func take(_ bytes: Int) -> ContextSlot {
        let slotBytes = (bytes + pageBytes - 1) / pageBytes * pageBytes
        let index = sizeClass(slotBytes)
        if let spare = classes[index].spares.popLast() {
            spareCount -= 1
            return spare
        }
        heldBytes += slotBytes
        guard let slab = classes[index].open.last else {
            let slab = ContextSlab(slotBytes: slotBytes)
            mappedBytes += slab.bytes
            let slot = slab.take()
            if !slab.isFull { open(slab, in: index) }
            return slot
        }
        let slot = slab.take()
        if slab.isFull { close(slab, in: index) }
        return slot
    }

    /// Takes back what ``take(_:)`` gave.
    func give(_ slot: ContextSlot) {
        let index = sizeClass(slot.slab.slotBytes)
        guard !isGivingBack else {
            free(slot, in: index)
            return
        }
        spareCount += 1
        classes[index].spares.append(slot)
    }

    /// Gives the memory of at most `most` spare slots back to the system.
    func giveBackSpares(_ most: Int) {
        var left = most
        for index in classes.indices {
            while left > 0, let spare = classes[index].spares.popLast() {
                left -= 1
                spareCount -= 1
                free(spare, in: index)
            }
        }
    }

    private func free(_ slot: ContextSlot, in index: Int) {
        let slab = slot.slab
        slab.give(slot)
        heldBytes -= slab.slotBytes
        guard slab.isUnused else {
            cwsframe_pages_discard(slot.memory, slab.slotBytes)
            if slab.openIndex == nil { open(slab, in: index) }
            return
        }
        // With the last one who refers to it the slab goes, and all its pages.
        if slab.openIndex != nil { close(slab, in: index) }
        mappedBytes -= slab.bytes
    }

    private func open(_ slab: ContextSlab, in index: Int) {
        slab.openIndex = classes[index].open.count
        classes[index].open.append(slab)
    }

    private func close(_ slab: ContextSlab, in index: Int) {
        guard let place = slab.openIndex else { return }
        slab.openIndex = nil
        let last = classes[index].open.removeLast()
        guard last !== slab else { return }
        classes[index].open[place] = last
        last.openIndex = place
    }

    private func sizeClass(_ slotBytes: Int) -> Int {
        for index in classes.indices where classes[index].slotBytes == slotBytes { return index }
        classes.append(SizeClass(slotBytes: slotBytes))
        return classes.count - 1
    }
}
