/// A hierarchical timing wheel: arming, re-arming, cancelling and firing are O(1).
///
/// Seven levels of 64 slots cover 2^42 milliseconds (139 years). Level 0 holds one millisecond a
/// slot; level *n* holds 64^n. A timer waits in the highest level whose slot differs from the
/// present, and moves down as time passes (Varghese and Lauck 1987, scheme 6). One 64-bit map a
/// level tells which slots are in use, so finding the next deadline looks at seven words.
///
/// Deadlines are mostly put off. A timer that is re-armed for later stays where it is, with its new
/// deadline noted, and moves once its old slot is reached: re-arming touches one record of 16 bytes.
/// One that is re-armed for earlier moves at once.
///
/// Nothing is allocated per timer and nothing moves when there are more. Reads no clock.
package struct TimerWheel<Payload>: ~Copyable {
    private struct Record {
        /// The millisecond in which the timer is due.
        var tick: UInt64
        /// Odd while the timer is armed.
        var generation: UInt32
        /// Milliseconds between a repeating timer's beats; 0 for one that fires once.
        var interval: UInt32
    }

    private static var levels: Int { 7 }
    private static var nanosecondsPerTick: Int64 { 1_000_000 }
    /// Lists beside those of the slots: timers that are due, and those of a slot that was reached.
    private static var expired: UInt32 { UInt32(levels * 64) }
    private static var reached: UInt32 { expired + 1 }
    private static var timersMax: Int { Int(UInt32.max) - levels * 64 - 2 }

    // Of a million timers, what is needed most lies closest together: a record is all that re-arming
    // touches; taking a timer out of the middle of a list touches three links; payloads are for
    // arming and firing.
    private var records = ChunkedStorage<Record>()
    private var payloads = ChunkedStorage<Payload?>()
    private var lists = LinkedLists(count: levels * 64 + 2)
    private let occupied: UnsafeMutablePointer<UInt64>
    private var used = 0
    private var freeHead = UInt32.max
    private var elapsed: UInt64 = 0
    private let origin: Int64

    /// How many timers are armed.
    package private(set) var count = 0

    package init(now: Instant) {
        occupied = .allocate(capacity: Self.levels)
        occupied.initialize(repeating: 0, count: Self.levels)
        origin = now.nanoseconds
    }

    deinit {
        for index in 0..<used { payloads.pointer(index).deinitialize(count: 1) }
        occupied.deallocate()
    }

    /// Arms a timer that fires no earlier than `deadline`, and again after every `interval`
    /// milliseconds; 0: it fires once.
    package mutating func arm(
        at deadline: Instant, every interval: UInt32 = 0, _ payload: Payload
    ) -> TimerID {
        let index = takeRecord()
        let record = records.pointer(Int(index))
        record.pointee.generation &+= 1
        record.pointee.interval = interval
        payloads.pointer(Int(index)).pointee = payload
        let tick = tick(notBefore: deadline)
        record.pointee.tick = tick
        insert(index, tick)
        count &+= 1
        return TimerID(index: index, generation: record.pointee.generation)
    }

    /// Moves an armed timer to another deadline; `false` where `id` names no armed timer.
    package mutating func rearm(_ id: TimerID, at deadline: Instant) -> Bool {
        guard let record = record(id) else { return false }
        let tick = tick(notBefore: deadline)
        let before = record.pointee.tick
        record.pointee.tick = tick
        // Its slot comes up before the new deadline, which is looked at then. A timer that is due
        // is in no slot any more.
        if tick >= before, before > elapsed { return true }
        unlink(id.index)
        insert(id.index, tick)
        return true
    }

    /// Cancels an armed timer, and returns what it carried; `nil` where `id` names no armed timer.
    @discardableResult
    package mutating func cancel(_ id: TimerID) -> Payload? {
        guard record(id) != nil else { return nil }
        unlink(id.index)
        return free(id.index)
    }

    /// The latest moment by which ``popExpired(now:budget:)`` must be called again.
    ///
    /// Never after the first deadline; before it where timers are to move to a finer level, or were
    /// put off.
    package var nextDeadline: Instant? {
        if !lists.isEmpty(Self.expired) || !lists.isEmpty(Self.reached) {
            return instant(ofTick: elapsed)
        }
        guard let next = nextSlot() else { return nil }
        return instant(ofTick: next.tick)
    }

    /// Takes one timer whose time has come; call until it returns `nil`.
    ///
    /// Timers come in the order of their milliseconds. A repeating timer stays armed: its next beat
    /// is the first one of its series that is not over yet, so that missed beats are told once.
    ///
    /// `budget` is how many timers may be fired or moved, and is counted down. At 0 there may be
    /// more to do, of which ``nextDeadline`` tells.
    package mutating func popExpired(
        now: Instant, budget: inout Int
    ) -> (id: TimerID, payload: Payload)? {
        let present = UInt64(max(0, now.nanoseconds - origin) / Self.nanosecondsPerTick)
        while budget > 0 {
            if let index = lists.first(Self.reached) {
                // A slot's timers move one by one, so that very many in one do not stop the rest.
                budget -= 1
                unlink(index)
                insert(index, records.pointer(Int(index)).pointee.tick)
            } else if let index = lists.first(Self.expired) {
                budget -= 1
                return fire(index, present)
            } else {
                guard let next = nextSlot(), next.tick <= present else {
                    elapsed = max(elapsed, present)
                    return nil
                }
                elapsed = next.tick
                occupied[next.level] &= ~(1 << UInt64(next.slot))
                lists.moveAll(UInt32(next.level * 64 + next.slot), to: Self.reached)
            }
        }
        return nil
    }

    /// Takes one timer whose time has come, however many have to be moved for it.
    package mutating func popExpired(now: Instant) -> (id: TimerID, payload: Payload)? {
        var budget = Int.max
        return popExpired(now: now, budget: &budget)
    }

    /// Cancels every timer, and returns what they carried; O(timers ever armed at once).
    package mutating func removeAll() -> [Payload] {
        var removed: [Payload] = []
        removed.reserveCapacity(count)
        for index in 0..<used where payloads.pointer(index).pointee != nil {
            unlink(UInt32(index))
            if let payload = free(UInt32(index)) { removed.append(payload) }
        }
        return removed
    }

    // MARK: - Slots

    private func tick(notBefore deadline: Instant) -> UInt64 {
        let distance = deadline.nanoseconds.subtractingReportingOverflow(origin)
        guard !distance.overflow, distance.partialValue > 0 else {
            return distance.overflow && deadline.nanoseconds > 0 ? latestTick : elapsed
        }
        // Positive, so unsigned division does, which takes a multiplication.
        let ticks =
            (UInt64(distance.partialValue) &+ UInt64(Self.nanosecondsPerTick &- 1))
            / UInt64(Self.nanosecondsPerTick)
        return max(elapsed, min(latestTick, ticks))
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

    @inline(__always)
    private mutating func insert(_ index: UInt32, _ tick: UInt64) {
        guard tick > elapsed else {
            lists.append(index, to: Self.expired)
            return
        }
        // The highest bit in which the deadline differs from the present chooses the level.
        let differing = 63 &- (elapsed ^ tick).leadingZeroBitCount
        let level = min(differing / 6, Self.levels - 1)
        let slot = Int(truncatingIfNeeded: tick &>> UInt64(6 &* level)) & 63
        occupied[level] |= 1 &<< UInt64(slot)
        lists.append(index, to: UInt32(truncatingIfNeeded: level &* 64 &+ slot))
    }

    @inline(__always)
    private mutating func unlink(_ index: UInt32) {
        guard let emptied = lists.remove(index), emptied < Self.expired else { return }
        occupied[Int(emptied) / 64] &= ~(1 &<< UInt64(emptied % 64))
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

    private mutating func fire(
        _ index: UInt32, _ present: UInt64
    ) -> (id: TimerID, payload: Payload) {
        let record = records.pointer(Int(index))
        let id = TimerID(index: index, generation: record.pointee.generation)
        unlink(index)
        let interval = UInt64(record.pointee.interval)
        guard interval > 0, let payload = payloads.pointer(Int(index)).pointee else {
            guard let payload = free(index) else {
                preconditionFailure("timer \(index) is linked but holds no payload")
            }
            return (id, payload)
        }
        let missed = (max(present, record.pointee.tick) - record.pointee.tick) / interval
        let next = min(latestTick, record.pointee.tick + (missed + 1) * interval)
        record.pointee.tick = next
        insert(index, next)
        return (id, payload)
    }

    // MARK: - Records

    @inline(__always)
    private func record(_ id: TimerID) -> UnsafeMutablePointer<Record>? {
        guard Int(id.index) < used else { return nil }
        let record = records.pointer(Int(id.index))
        guard record.pointee.generation == id.generation, id.generation & 1 == 1 else {
            return nil
        }
        return record
    }

    private mutating func takeRecord() -> UInt32 {
        guard freeHead == .max else {
            let index = freeHead
            freeHead = lists.next(index)
            // The next timer to be armed finds its record in the cache.
            if freeHead != .max { prefetch(Int(freeHead)) }
            return index
        }
        if used == records.capacity { records.grow() }
        if used == payloads.capacity { payloads.grow() }
        precondition(used < Self.timersMax, "more than \(used) timers on one loop")
        lists.reserve(used + 1)
        records.pointer(used).initialize(to: Record(tick: 0, generation: 0, interval: 0))
        payloads.pointer(used).initialize(to: nil)
        used += 1
        return UInt32(used - 1)
    }

    /// Gives a record up that is in no list, and returns what it carried.
    private mutating func free(_ index: UInt32) -> Payload? {
        let record = records.pointer(Int(index))
        record.pointee.generation &+= 1
        lists.setNext(index, freeHead)
        freeHead = index
        count &-= 1
        return payloads.pointer(Int(index)).pointee.take()
    }

    private func prefetch(_ index: Int) {
        Platform.prefetch(records.pointer(index))
        Platform.prefetch(payloads.pointer(index))
        lists.prefetch(UInt32(index))
    }
}
