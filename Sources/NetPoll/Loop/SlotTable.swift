/// The registrations of a loop: a slot each, with a generation that rises when it is given up.
struct SlotTable: ~Copyable {
    /// In 12 bytes, aligned to 4: every connection has one.
    private struct Slot {
        var generation: UInt32
        private var low: UInt32
        private var high: UInt32

        private static var kindMask: UInt { 7 }
        /// In place of a kind in a free slot.
        private static var free: UInt32 { 7 }

        init(generation: UInt32, next: UInt32) {
            self.generation = generation
            (low, high) = (Self.free, next)
        }

        /// The next free slot, of one that is free.
        var next: UInt32 {
            get { high }
            set { (low, high) = (Self.free, newValue) }
        }

        /// The object of a registration of this kind. Objects are aligned to 16 bytes, so the lowest
        /// bits of an address have room for the kind.
        @inline(__always)
        func object(_ kind: Token.Kind) -> Unmanaged<AnyObject>? {
            let bits = UInt(high) << 32 | UInt(low)
            guard bits & Self.kindMask == UInt(kind.rawValue),
                let pointer = UnsafeRawPointer(bitPattern: bits & ~Self.kindMask)
            else { return nil }
            // The address is one that `use` was given, of an object retained since.
            return Unmanaged.fromOpaque(pointer)
        }

        mutating func use(_ object: Unmanaged<AnyObject>, _ kind: Token.Kind) {
            let address = UInt(bitPattern: object.toOpaque())
            precondition(address & Self.kindMask == 0, "an object at \(address)")
            let bits = address | UInt(kind.rawValue)
            (low, high) = (UInt32(truncatingIfNeeded: bits), UInt32(bits >> 32))
        }
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
        for index in 0..<used {
            for kind in Token.Kind.allCases { slots[index].object(kind)?.release() }
        }
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
        freeHead = slots[token.slot].next
        slots[token.slot].use(Unmanaged.passRetained(object), token.kind)
        count += 1
    }

    /// What `token` names, without a retain; `nil` for a stale token.
    @inline(__always)
    func object(_ token: Token) -> Unmanaged<AnyObject>? {
        let index = token.slot
        guard index < used, slots[index].generation == token.generation else { return nil }
        return slots[index].object(token.kind)
    }

    /// The generation of a slot that was reserved or is in use.
    @inline(__always)
    func generation(_ slot: Int) -> UInt32 { slots[slot].generation }

    /// Gives the slot up; later events with its token are stale.
    mutating func remove(_ token: Token) {
        guard let object = object(token) else { return }
        slots[token.slot].next = Self.none
        slots[token.slot].generation &+= 1
        count -= 1
        // A slot whose generations are used up is retired, so that no token ever comes back.
        if slots[token.slot].generation != .max {
            slots[token.slot].next = freeHead
            freeHead = UInt32(token.slot)
        }
        object.release()
    }

    /// The tokens in use, of one kind; O(slots).
    func tokens(_ kind: Token.Kind) -> [Token] {
        (0..<used).compactMap { index in
            guard slots[index].object(kind) != nil else { return nil }
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
        (slots + used).initialize(to: Slot(generation: 1, next: freeHead))
        freeHead = UInt32(used)
        used += 1
    }
}
