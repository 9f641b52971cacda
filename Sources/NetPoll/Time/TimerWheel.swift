/// A hierarchical timing wheel: arming, re-arming, cancelling and firing are O(1).
///
/// Seven levels of 64 slots cover 2^42 milliseconds (139 years). Level 0 holds one millisecond a
/// slot; level *n* holds 64^n. A timer waits in the highest level whose slot differs from the
/// present, and moves down as time passes (Varghese and Lauck 1987, scheme 6). One 64-bit map a
/// level tells which slots are in use, so finding the next deadline looks at seven words.
///
/// Nodes live in one array and link by index: nothing is allocated per re-arm. Reads no clock.
package struct TimerWheel<Payload>: ~Copyable {
    private struct Node {
        var next: UInt32
        var previous: UInt32
        var tick: UInt64
        var generation: UInt32
        var list: UInt32
        var payload: Payload?
    }

    private static var none: UInt32 { .max }
    private static var levels: Int { 7 }
    private static var expired: UInt32 { UInt32(levels * 64) }
    private static var nanosecondsPerTick: Int64 { 1_000_000 }

    private var nodes: UnsafeMutablePointer<Node>
    private var capacity: Int
    private var freeHead = Self.none
    private var used = 0
    private let heads: UnsafeMutablePointer<UInt32>
    private let tails: UnsafeMutablePointer<UInt32>
    private let occupied: UnsafeMutablePointer<UInt64>
    private var elapsed: UInt64
    private let origin: Int64

    /// How many timers are armed.
    package private(set) var count = 0

    package init(now: Instant) {
        capacity = 16
        nodes = .allocate(capacity: capacity)
        let lists = Self.levels * 64 + 1
        heads = .allocate(capacity: lists)
        tails = .allocate(capacity: lists)
        occupied = .allocate(capacity: Self.levels)
        heads.initialize(repeating: Self.none, count: lists)
        tails.initialize(repeating: Self.none, count: lists)
        occupied.initialize(repeating: 0, count: Self.levels)
        origin = now.nanoseconds
        elapsed = 0
    }

    deinit {
        nodes.deinitialize(count: used)
        nodes.deallocate()
        heads.deallocate()
        tails.deallocate()
        occupied.deallocate()
    }

    /// Arms a timer that fires no earlier than `deadline`.
    package mutating func arm(at deadline: Instant, _ payload: Payload) -> TimerID {
        let index = takeNode()
        nodes[Int(index)].payload = payload
        nodes[Int(index)].tick = tick(notBefore: deadline)
        insert(index)
        count += 1
        return TimerID(index: index, generation: nodes[Int(index)].generation)
    }

    /// Moves an armed timer to another deadline; `false` where `id` names no armed timer.
    package mutating func rearm(_ id: TimerID, at deadline: Instant) -> Bool {
        guard isArmed(id) else { return false }
        unlink(id.index)
        nodes[Int(id.index)].tick = tick(notBefore: deadline)
        insert(id.index)
        return true
    }

    /// Cancels an armed timer; `false` where `id` names no armed timer.
    @discardableResult
    package mutating func cancel(_ id: TimerID) -> Bool {
        guard isArmed(id) else { return false }
        unlink(id.index)
        free(id.index)
        return true
    }

    /// The latest moment by which ``popExpired(now:)`` must be called again.
    ///
    /// Exact for timers within 64 ms; for later ones it may be the time at which they move to a
    /// finer level.
    package var nextDeadline: Instant? {
        if heads[Int(Self.expired)] != Self.none { return instant(ofTick: elapsed) }
        guard let next = nextSlot() else { return nil }
        return instant(ofTick: next.tick)
    }

    /// Takes one timer whose time has come; call until it returns `nil`.
    ///
    /// Timers come in the order of their milliseconds.
    package mutating func popExpired(now: Instant) -> (id: TimerID, payload: Payload)? {
        let present = UInt64(max(0, now.nanoseconds - origin) / Self.nanosecondsPerTick)
        while true {
            let head = heads[Int(Self.expired)]
            if head != Self.none {
                let id = TimerID(index: head, generation: nodes[Int(head)].generation)
                guard let payload = nodes[Int(head)].payload else {
                    preconditionFailure("timer \(head) is linked but holds no payload")
                }
                unlink(head)
                free(head)
                return (id, payload)
            }
            guard let next = nextSlot(), next.tick <= present else {
                elapsed = max(elapsed, present)
                return nil
            }
            elapsed = next.tick
            cascade(level: next.level, slot: next.slot)
        }
    }

    // MARK: - Slots

    private func isArmed(_ id: TimerID) -> Bool {
        Int(id.index) < used && nodes[Int(id.index)].generation == id.generation
            && nodes[Int(id.index)].payload != nil
    }

    private func tick(notBefore deadline: Instant) -> UInt64 {
        let distance = deadline.nanoseconds.subtractingReportingOverflow(origin)
        guard !distance.overflow, distance.partialValue > 0 else {
            return distance.overflow && deadline.nanoseconds > 0 ? latestTick : elapsed
        }
        let whole = distance.partialValue / Self.nanosecondsPerTick
        let rest = distance.partialValue % Self.nanosecondsPerTick
        return max(elapsed, min(latestTick, UInt64(whole) + (rest > 0 ? 1 : 0)))
    }

    /// One slot of the last level short of a whole turn, so that no timer waits in the present slot.
    private var latestTick: UInt64 { elapsed + (63 << UInt64(6 * (Self.levels - 1))) }

    private func instant(ofTick tick: UInt64) -> Instant {
        let (scaled, overflow) = Int64(tick).multipliedReportingOverflow(
            by: Self.nanosecondsPerTick)
        guard !overflow else { return Instant(nanoseconds: .max) }
        let (sum, tooBig) = scaled.addingReportingOverflow(origin)
        return Instant(nanoseconds: tooBig ? .max : sum)
    }

    private mutating func insert(_ index: UInt32) {
        let tick = nodes[Int(index)].tick
        guard tick > elapsed else {
            append(index, to: Self.expired)
            return
        }
        // The highest bit in which the deadline differs from the present chooses the level.
        let differing = 63 - (elapsed ^ tick).leadingZeroBitCount
        let level = min(differing / 6, Self.levels - 1)
        let slot = Int(truncatingIfNeeded: tick >> UInt64(6 * level)) & 63
        occupied[level] |= 1 << UInt64(slot)
        append(index, to: UInt32(level * 64 + slot))
    }

    /// The slot that is due next, and the first tick that belongs to it.
    private func nextSlot() -> (level: Int, slot: Int, tick: UInt64)? {
        for level in 0..<Self.levels where occupied[level] != 0 {
            let shift = UInt64(6 * level)
            let present = Int(truncatingIfNeeded: elapsed >> shift) & 63
            let map = occupied[level]
            // Rotated so that bit 0 is the present slot: the lowest set bit is due first.
            let rotated = (map >> UInt64(present)) | (map << UInt64((64 - present) & 63))
            let slot = (present + rotated.trailingZeroBitCount) & 63
            let block = (elapsed >> (shift + 6)) << (shift + 6)
            var tick = block + (UInt64(slot) << shift)
            // Only the last level wraps: elsewhere every occupied slot lies after the present one.
            if tick <= elapsed { tick += 1 << (shift + 6) }
            return (level, slot, tick)
        }
        return nil
    }

    private mutating func cascade(level: Int, slot: Int) {
        let list = UInt32(level * 64 + slot)
        occupied[level] &= ~(1 << UInt64(slot))
        var index = heads[Int(list)]
        heads[Int(list)] = Self.none
        tails[Int(list)] = Self.none
        while index != Self.none {
            let next = nodes[Int(index)].next
            insert(index)
            index = next
        }
    }

    // MARK: - Lists and nodes

    private mutating func append(_ index: UInt32, to list: UInt32) {
        let tail = tails[Int(list)]
        nodes[Int(index)].list = list
        nodes[Int(index)].next = Self.none
        nodes[Int(index)].previous = tail
        if tail == Self.none {
            heads[Int(list)] = index
        } else {
            nodes[Int(tail)].next = index
        }
        tails[Int(list)] = index
    }

    private mutating func unlink(_ index: UInt32) {
        let (next, previous) = (nodes[Int(index)].next, nodes[Int(index)].previous)
        let list = nodes[Int(index)].list
        if previous == Self.none {
            heads[Int(list)] = next
        } else {
            nodes[Int(previous)].next = next
        }
        if next == Self.none {
            tails[Int(list)] = previous
        } else {
            nodes[Int(next)].previous = previous
        }
        if heads[Int(list)] == Self.none, list != Self.expired {
            occupied[Int(list) / 64] &= ~(1 << UInt64(list % 64))
        }
    }

    private mutating func takeNode() -> UInt32 {
        if freeHead != Self.none {
            let index = freeHead
            freeHead = nodes[Int(index)].next
            return index
        }
        if used == capacity {
            let larger = UnsafeMutablePointer<Node>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: nodes, count: used)
            nodes.deallocate()
            nodes = larger
            capacity *= 2
        }
        precondition(used < Int(Self.none), "more than \(used) timers on one loop")
        (nodes + used).initialize(
            to: Node(
                next: Self.none, previous: Self.none, tick: 0, generation: 0, list: 0,
                payload: nil))
        used += 1
        return UInt32(used - 1)
    }

    private mutating func free(_ index: UInt32) {
        nodes[Int(index)].payload = nil
        nodes[Int(index)].generation &+= 1
        nodes[Int(index)].next = freeHead
        freeHead = index
        count -= 1
    }
}
