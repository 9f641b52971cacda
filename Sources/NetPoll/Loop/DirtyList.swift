/// The connections that gathered writes in this turn, in memory that is used again every turn.
///
/// Everything lies behind one pointer, so that a loop keeps the list in a constant: what it holds
/// changes with every message, and an array would be checked for exclusive and unique access each
/// time.
struct DirtyList: ~Copyable {
    private struct State {
        var entries: UnsafeMutablePointer<GatheredWrites>
        var count = 0
        var capacity = 64
    }

    private let state: UnsafeMutablePointer<State>

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: State(entries: .allocate(capacity: 64)))
    }

    deinit {
        // Entries are trivial.
        state.pointee.entries.deallocate()
        state.deallocate()
    }

    var count: Int { state.pointee.count }
    var isEmpty: Bool { state.pointee.count == 0 }

    /// The entry at `index`, below ``count``; valid until ``append(_:)``.
    @inline(__always)
    func entry(_ index: UInt32) -> UnsafeMutablePointer<GatheredWrites> {
        let index = Int(index)
        precondition(index < state.pointee.count, "entry \(index) of \(state.pointee.count)")
        return state.pointee.entries + index
    }

    func append(_ writes: GatheredWrites) {
        if state.pointee.count == state.pointee.capacity {
            let capacity = state.pointee.capacity * 2
            let larger = UnsafeMutablePointer<GatheredWrites>.allocate(capacity: capacity)
            larger.moveInitialize(from: state.pointee.entries, count: state.pointee.count)
            state.pointee.entries.deallocate()
            state.pointee.entries = larger
            state.pointee.capacity = capacity
        }
        (state.pointee.entries + state.pointee.count).initialize(to: writes)
        state.pointee.count += 1
    }

    func removeAll() { state.pointee.count = 0 }
}
