/// The calls that wait for an answer, by the id that the answer will have.
///
/// An id is a slot and how often the slot was used, so that an answer that comes too late for its
/// call meets no other. A slot that was given up is the last to be used again.
///
/// Complexity: O(1) for each call.
struct CallSlots<Call> {
    private struct Slot {
        var generation: UInt16 = 0
        var call: Call?
        var nextFree: Int?
    }

    let callsMax: Int
    private(set) var count = 0
    private var slots: [Slot] = []
    private var firstFree: Int?
    private var lastFree: Int?

    init(callsMax: Int) {
        precondition((1...65_536).contains(callsMax), "\(callsMax) calls in flight")
        self.callsMax = callsMax
    }

    /// Takes a call; gives its id, or `nil` where as many as may be wait already.
    mutating func open(_ call: Call) -> UInt32? {
        guard count < callsMax else { return nil }
        count += 1
        // A new slot as long as there may be one: ids repeat the later for it.
        if slots.count < callsMax {
            slots.append(Slot(call: call))
            return UInt32(slots.count - 1)
        }
        guard let index = firstFree else { preconditionFailure("\(count) calls and no slot") }
        firstFree = slots[index].nextFree
        if firstFree == nil { lastFree = nil }
        slots[index].nextFree = nil
        slots[index].call = call
        return UInt32(slots[index].generation) << 16 | UInt32(index)
    }

    /// Gives up the call of this id, if it still waits.
    mutating func take(_ id: UInt32) -> Call? {
        let index = Int(id & 0xffff)
        guard index < slots.count, slots[index].generation == UInt16(id >> 16),
            let call = slots[index].call
        else { return nil }
        release(index)
        return call
    }

    /// Gives up all calls.
    mutating func takeAll() -> [Call] {
        let calls = slots.compactMap(\.call)
        for index in slots.indices where slots[index].call != nil { release(index) }
        return calls
    }

    private mutating func release(_ index: Int) {
        slots[index].call = nil
        slots[index].generation &+= 1
        count -= 1
        if let lastFree {
            slots[lastFree].nextFree = index
        } else {
            firstFree = index
        }
        lastFree = index
    }
}
