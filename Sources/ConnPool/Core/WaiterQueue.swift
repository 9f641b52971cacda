internal import NetPoll

/// Requests that wait, first come first served: a doubly linked list in one array, so that joining,
/// leaving from anywhere and going first are O(1) and allocate nothing in steady state.
struct WaiterQueue: Sendable {
    private struct Waiter: Sendable {
        var generation: UInt32 = 0
        var isQueued = false
        var previous: Int32 = -1
        /// The next in the queue, or in the list of unused places.
        var next: Int32 = -1
        var joinedAt = Instant(nanoseconds: 0)
        var deadline = Instant(nanoseconds: 0)
        var position: Int32 = 0
    }

    private var waiters: [Waiter] = []
    private var firstUnused: Int32 = -1
    private var head: Int32 = -1
    private var tail: Int32 = -1
    private var deadlines = DeadlineHeap()

    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Who goes first.
    var first: WaiterID? {
        head < 0 ? nil : WaiterID(slot: head, generation: waiters[Int(head)].generation)
    }

    /// Since when the first one waits.
    var firstJoinedAt: Instant? { head < 0 ? nil : waiters[Int(head)].joinedAt }

    /// The earliest deadline, perhaps of one that left.
    var nextDeadline: Instant? {
        count == 0 ? nil : deadlines.first.map { Instant(nanoseconds: $0.moment) }
    }

    func contains(_ id: WaiterID) -> Bool {
        let waiter = waiters[Int(id.slot)]
        return waiter.isQueued && waiter.generation == id.generation
    }

    /// Since when one waits.
    func joinedAt(_ id: WaiterID) -> Instant { waiters[Int(id.slot)].joinedAt }

    /// How many stood in the queue when one joined, itself included.
    func position(_ id: WaiterID) -> Int { Int(waiters[Int(id.slot)].position) }

    /// Puts a request at the end.
    mutating func join(now: Instant, deadline: Instant) -> WaiterID {
        let slot: Int32
        if firstUnused >= 0 {
            slot = firstUnused
            firstUnused = waiters[Int(slot)].next
        } else {
            slot = Int32(waiters.count)
            waiters.append(Waiter())
        }
        count += 1
        waiters[Int(slot)].isQueued = true
        waiters[Int(slot)].previous = tail
        waiters[Int(slot)].next = -1
        waiters[Int(slot)].joinedAt = now
        waiters[Int(slot)].deadline = deadline
        waiters[Int(slot)].position = Int32(clamping: count)
        if tail >= 0 { waiters[Int(tail)].next = slot } else { head = slot }
        tail = slot
        let generation = waiters[Int(slot)].generation
        if deadline.nanoseconds != .max { arm(slot, generation, deadline) }
        return WaiterID(slot: slot, generation: generation)
    }

    /// Takes a request out, wherever it stands; `false` where it left before.
    @discardableResult
    mutating func leave(_ id: WaiterID) -> Bool {
        guard contains(id) else { return false }
        let slot = Int(id.slot)
        let (previous, next) = (waiters[slot].previous, waiters[slot].next)
        if previous >= 0 { waiters[Int(previous)].next = next } else { head = next }
        if next >= 0 { waiters[Int(next)].previous = previous } else { tail = previous }
        waiters[slot].isQueued = false
        waiters[slot].generation &+= 1
        waiters[slot].next = firstUnused
        firstUnused = id.slot
        count -= 1
        return true
    }

    /// The next request whose deadline has come, still in the queue.
    mutating func nextOverdue(_ now: Instant) -> WaiterID? {
        while let entry = deadlines.first {
            let id = WaiterID(slot: entry.slot, generation: entry.generation)
            if contains(id) { return entry.moment <= now.nanoseconds ? id : nil }
            deadlines.removeFirst()
        }
        return nil
    }

    /// Goes through the queue in its order; O(waiters).
    func forEach(_ body: (WaiterID, _ deadline: Instant) -> Void) {
        var slot = head
        while slot >= 0 {
            let waiter = waiters[Int(slot)]
            body(WaiterID(slot: slot, generation: waiter.generation), waiter.deadline)
            slot = waiter.next
        }
    }

    private mutating func arm(_ slot: Int32, _ generation: UInt32, _ deadline: Instant) {
        if deadlines.count > 64, deadlines.count > 2 * count {
            deadlines.sweep { [waiters] entry in
                let waiter = waiters[Int(entry.slot)]
                return !waiter.isQueued || waiter.generation != entry.generation
            }
        }
        deadlines.push(
            .init(moment: deadline.nanoseconds, slot: slot, generation: generation))
    }
}
