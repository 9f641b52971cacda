/// The registrations of a loop: a slot each, with a generation that rises when it is given up.
struct SlotTable: ~Copyable {
    private struct Slot {
        var generation: UInt32
        /// The next free slot; in use, the kind of the registration.
        var link: UInt32
        var object: Unmanaged<AnyObject>?
    }

    private static var none: UInt32 { .max }

    private var slots: UnsafeMutablePointer<Slot>
    private var capacity = 64
    private var used = 0
    private var freeHead = Self.none

    /// How many registrations live.
    private(set) var count = 0

    init() {
        slots = .allocate(capacity: capacity)
    }

    deinit {
        for index in 0..<used { slots[index].object?.release() }
        slots.deallocate()
    }

    /// The token the next ``insert(_:kind:)`` of this kind will use.
    mutating func reserveToken(kind: Token.Kind) -> Token {
        if freeHead == Self.none { grow() }
        let index = Int(freeHead)
        return Token(slot: index, generation: slots[index].generation, kind: kind)
    }

    /// Takes over one retain of `object` under the token just reserved.
    mutating func insert(_ object: AnyObject, at token: Token) {
        precondition(Int(freeHead) == token.slot, "slot \(token.slot) was not reserved last")
        freeHead = slots[token.slot].link
        slots[token.slot].link = UInt32(token.kind.rawValue)
        slots[token.slot].object = Unmanaged.passRetained(object)
        count += 1
    }

    /// What `token` names, without a retain; `nil` for a stale token.
    @inline(__always)
    func object(_ token: Token) -> Unmanaged<AnyObject>? {
        let index = token.slot
        guard index < used, slots[index].generation == token.generation else { return nil }
        return slots[index].object
    }

    /// Gives the slot up; later events with its token are stale.
    mutating func remove(_ token: Token) {
        guard let object = object(token) else { return }
        slots[token.slot].object = nil
        slots[token.slot].generation &+= 1
        count -= 1
        // A slot whose generations are used up is retired, so that no token ever comes back.
        if slots[token.slot].generation != .max {
            slots[token.slot].link = freeHead
            freeHead = UInt32(token.slot)
        }
        object.release()
    }

    /// The tokens in use, of one kind; O(slots).
    func tokens(_ kind: Token.Kind) -> [Token] {
        (0..<used).compactMap { index in
            guard slots[index].object != nil, slots[index].link == UInt32(kind.rawValue) else {
                return nil
            }
            return Token(slot: index, generation: slots[index].generation, kind: kind)
        }
    }

    private mutating func grow() {
        if used == capacity {
            precondition(capacity < 1 << 29, "more than \(capacity) registrations on one loop")
            let larger = UnsafeMutablePointer<Slot>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: slots, count: used)
            slots.deallocate()
            slots = larger
            capacity *= 2
        }
        (slots + used).initialize(to: Slot(generation: 1, link: freeHead, object: nil))
        freeHead = UInt32(used)
        used += 1
    }
}
