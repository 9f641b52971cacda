/// The calls of one side of a connection: a slab of entries, and an index by stream id.
///
/// Slots and generations, so that a late event for a call that is over names nothing. Grows by
/// doubling and is then kept: opening and closing a call allocates nothing in steady state.
///
/// Complexity: O(1) for all but growing while ids rise one after the other, as these do not collide; O(calls)
/// where a peer's ids do.
struct CallTable: ~Copyable {
    private var entries: UnsafeMutablePointer<CallEntry>
    private(set) var capacity: Int
    /// Slots plus one by id, 0 where there is none; twice as many places as slots.
    private var index: UnsafeMutablePointer<UInt32>
    /// Ids that are not in their own places of the index. While there is none, nobody has to move when
    /// one is taken out.
    private(set) var displaced = 0
    private var freeHead: UInt32 = .max
    /// Slots used at least once.
    private(set) var used = 0
    /// Calls that have a slot.
    private(set) var count = 0

    init(capacity: Int = 8) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "\(capacity) slots")
        self.capacity = capacity
        entries = .allocate(capacity: capacity)
        index = .allocate(capacity: capacity * 2)
        index.initialize(repeating: 0, count: capacity * 2)
    }

    deinit {
        // Entries are trivial.
        entries.deallocate()
        index.deallocate()
    }

    /// The entry of a slot that is used.
    @inline(__always)
    func entry(_ slot: UInt32) -> UnsafeMutablePointer<CallEntry> {
        assert(Int(slot) < used && entries[Int(slot)].isUsed, "slot \(slot) is not used")
        return entries + Int(slot)
    }

    @inline(__always)
    func key(_ slot: UInt32) -> CallKey {
        CallKey(slot: slot, generation: entry(slot).pointee.generation)
    }

    /// The slot that `key` names, while its call lasts.
    @inline(__always)
    func slot(_ key: CallKey) -> UInt32? {
        guard Int(key.slot) < used else { return nil }
        let entry = entries + Int(key.slot)
        return entry.pointee.isUsed && entry.pointee.generation == key.generation ? key.slot : nil
    }

    /// The slot of the call with this stream id.
    @inline(__always)
    func slot(id: UInt32) -> UInt32? {
        let mask = capacity * 2 - 1
        var place = Int(id >> 1) & mask
        while index[place] != 0 {
            let slot = index[place] - 1
            if entries[Int(slot)].id == id { return slot }
            place = (place + 1) & mask
        }
        return nil
    }

    /// Whether a slot below ``used`` has a call.
    func isUsed(_ slot: UInt32) -> Bool { entries[Int(slot)].isUsed }

    /// Takes a slot.
    mutating func insert() -> UInt32 {
        let slot: UInt32
        if freeHead != .max {
            slot = freeHead
            freeHead = entries[Int(slot)].next
        } else {
            if used == capacity { grow() }
            slot = UInt32(used)
            (entries + used).initialize(to: CallEntry())
            used += 1
        }
        count += 1
        let entry = entries + Int(slot)
        entry.pointee.isUsed = true
        entry.pointee.next = .max
        return slot
    }

    /// Gives a slot its stream id.
    @inline(__always)
    mutating func assign(_ id: UInt32, to slot: UInt32) {
        entry(slot).pointee.id = id
        place(slot, id)
    }

    /// Ends a call; its slot may be used again.
    @inline(__always)
    mutating func remove(_ slot: UInt32) {
        let entry = entry(slot)
        if entry.pointee.id != 0 { unplace(entry.pointee.id) }
        let generation = entry.pointee.generation &+ 1
        entry.initialize(to: CallEntry())
        entry.pointee.generation = generation
        entry.pointee.next = freeHead
        freeHead = slot
        count -= 1
    }

    /// Calls `body` with every slot that is used; `body` must not change the table. O(slots).
    func forEach(_ body: (UInt32, UnsafeMutablePointer<CallEntry>) -> Void) {
        for slot in 0..<used where entries[slot].isUsed { body(UInt32(slot), entries + slot) }
    }

    // MARK: - The index

    private mutating func place(_ slot: UInt32, _ id: UInt32) {
        let mask = capacity * 2 - 1
        let home = Int(id >> 1) & mask
        var place = home
        while index[place] != 0 { place = (place + 1) & mask }
        index[place] = slot + 1
        if place != home { displaced += 1 }
    }

    /// Takes `id` out, and moves those behind it up that were pushed there by it (Knuth, volume 3,
    /// 6.4, algorithm R).
    private mutating func unplace(_ id: UInt32) {
        let mask = capacity * 2 - 1
        let place = Int(id >> 1) & mask
        var hole = place
        while index[hole] != 0, entries[Int(index[hole] - 1)].id != id { hole = (hole + 1) & mask }
        guard index[hole] != 0 else { return }
        if hole != place { displaced -= 1 }
        var next = (hole + 1) & mask
        while displaced > 0, index[next] != 0 {
            let home = Int(entries[Int(index[next] - 1)].id >> 1) & mask
            // It may move only where its home does not lie cyclically in (hole, next].
            if (next - home) & mask >= (next - hole) & mask {
                index[hole] = index[next]
                if hole == home { displaced -= 1 }
                hole = next
            }
            next = (next + 1) & mask
        }
        index[hole] = 0
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<CallEntry>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: entries, count: used)
        entries.deallocate()
        entries = larger
        capacity *= 2
        index.deallocate()
        index = .allocate(capacity: capacity * 2)
        index.initialize(repeating: 0, count: capacity * 2)
        displaced = 0
        for slot in 0..<used where entries[slot].isUsed && entries[slot].id != 0 {
            place(UInt32(slot), entries[slot].id)
        }
    }
}
