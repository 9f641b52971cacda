/// The connections of a pool by slot, and the lists they stand in.
///
/// All lists are intrusive, so that no input allocates once the table has grown to the pool's size.
struct ConnectionTable: Sendable {
    /// The ends of one list.
    struct List: Sendable {
        fileprivate(set) var head: Int32 = -1
        fileprivate(set) var tail: Int32 = -1
        fileprivate(set) var count = 0
    }

    /// By slot. Edited in place: an accessor of the table's own would allocate where it is not
    /// inlined.
    var records: [ConnectionRecord] = []
    private var firstUnused: Int32 = -1

    private(set) var dials = List()
    private(set) var idle = List()
    private(set) var shared = List()
    /// Those in any phase but ``ConnectionRecord/Phase/unused``.
    private(set) var count = 0

    subscript(slot: Int32) -> ConnectionRecord { records[Int(slot)] }

    func id(_ slot: Int32) -> PooledConnectionID {
        PooledConnectionID(slot: slot, generation: records[Int(slot)].generation)
    }

    /// The slot that `id` names, while it names one.
    func slot(of id: PooledConnectionID) -> Int32? {
        let record = records[Int(id.slot)]
        return record.generation == id.generation && record.phase != .unused ? id.slot : nil
    }

    /// The slots in use, in no order of meaning; O(slots).
    var slots: [Int32] {
        records.indices.filter { records[$0].phase != .unused }.map(Int32.init)
    }

    /// Takes an unused place.
    mutating func add() -> Int32 {
        count += 1
        guard firstUnused >= 0 else {
            records.append(ConnectionRecord())
            return Int32(records.count - 1)
        }
        let slot = firstUnused
        firstUnused = records[Int(slot)].next
        let generation = records[Int(slot)].generation
        records[Int(slot)] = ConnectionRecord()
        records[Int(slot)].generation = generation
        return slot
    }

    /// Gives a place up: its identifier names nothing from now on.
    mutating func remove(_ slot: Int32) {
        unlink(slot)
        count -= 1
        records[Int(slot)].phase = .unused
        records[Int(slot)].generation &+= 1
        records[Int(slot)].next = firstUnused
        firstUnused = slot
    }

    /// Puts a connection at the end of a list.
    mutating func append(_ slot: Int32, to membership: ConnectionRecord.Membership) {
        insert(slot, into: membership, after: list(membership).tail)
    }

    /// Puts a connection that was idle all the time back to where it stood, by
    /// ``ConnectionRecord/idleSince``. O(those idle for longer), which is few: the quietest are
    /// probed first.
    mutating func reinsertIdle(_ slot: Int32) {
        var previous: Int32 = -1
        var next = idle.head
        while next >= 0, records[Int(next)].idleSince < records[Int(slot)].idleSince {
            previous = next
            next = records[Int(next)].next
        }
        insert(slot, into: .idle, after: previous)
    }

    /// Takes a connection out of the list it stands in, if any.
    mutating func unlink(_ slot: Int32) {
        let (membership, previous, next) = records[Int(slot)].unlink()
        guard membership != .none else { return }
        if previous >= 0 { records[Int(previous)].next = next }
        if next >= 0 { records[Int(next)].previous = previous }
        edit(membership) { list in
            if previous < 0 { list.head = next }
            if next < 0 { list.tail = previous }
            list.count -= 1
        }
    }

    private mutating func insert(
        _ slot: Int32, into membership: ConnectionRecord.Membership, after previous: Int32
    ) {
        assert(records[Int(slot)].membership == .none, "slot \(slot) stands in a list already")
        let next = previous >= 0 ? records[Int(previous)].next : list(membership).head
        records[Int(slot)].link(membership, previous, next)
        if previous >= 0 { records[Int(previous)].next = slot }
        if next >= 0 { records[Int(next)].previous = slot }
        edit(membership) { list in
            if previous < 0 { list.head = slot }
            if next < 0 { list.tail = slot }
            list.count += 1
        }
    }

    private func list(_ membership: ConnectionRecord.Membership) -> List {
        switch membership {
        case .dials: dials
        case .idle: idle
        case .shared: shared
        case .none: List()
        }
    }

    @inline(__always)
    private mutating func edit(
        _ membership: ConnectionRecord.Membership, _ body: (inout List) -> Void
    ) {
        switch membership {
        case .dials: body(&dials)
        case .idle: body(&idle)
        case .shared: body(&shared)
        case .none: break
        }
    }
}
