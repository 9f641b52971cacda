/// The sessions of one loop, found by id in O(1) and released when they end.
struct SessionTable<Session: AnyObject> {
    private struct Slot {
        var session: Session?
        var generation: UInt32 = 0
        /// The next free slot while this one is free.
        var nextFree: UInt32?
    }

    private let loop: UInt16
    private var slots: [Slot] = []
    private var firstFree: UInt32?
    private(set) var count = 0

    init(loop: Int) {
        precondition(loop < LoopSet.loopsMax, "loop \(loop) exceeds \(LoopSet.loopsMax)")
        self.loop = UInt16(loop)
    }

    /// Gives `session` a place and a name.
    mutating func insert(_ session: Session) -> SessionID {
        count += 1
        let index: UInt32
        if let free = firstFree {
            index = free
            firstFree = slots[Int(free)].nextFree
        } else {
            index = UInt32(slots.count)
            slots.append(Slot())
        }
        slots[Int(index)].session = session
        slots[Int(index)].nextFree = nil
        return SessionID(loop: loop, slot: index, generation: slots[Int(index)].generation)
    }

    /// Releases the session, whose id becomes unknown for ever.
    mutating func remove(_ id: SessionID) {
        guard self[id] != nil else { return }
        count -= 1
        slots[Int(id.slot)].session = nil
        let (next, isSpent) = id.generation.addingReportingOverflow(1)
        // A slot whose generations are used up is left alone: its next id would not be new.
        guard !isSpent else { return }
        slots[Int(id.slot)].generation = next
        slots[Int(id.slot)].nextFree = firstFree
        firstFree = id.slot
    }

    /// Slots there are, taken or free; they only grow, so that a walk over them may pause.
    var slotCount: Int { slots.count }

    /// The session in a slot; `nil` where that is free.
    func session(inSlot index: Int) -> Session? { slots[index].session }

    /// Calls `body` with each session.
    func forEach(_ body: (Session) -> Void) {
        for slot in slots {
            if let session = slot.session { body(session) }
        }
    }

    /// The session of that name, unless it has ended.
    subscript(id: SessionID) -> Session? {
        guard id.loop == loop, Int(id.slot) < slots.count,
            slots[Int(id.slot)].generation == id.generation
        else { return nil }
        return slots[Int(id.slot)].session
    }
}
