/// A queue in one circular buffer, which grows by doubling and gives its memory back when it
/// empties after having been large.
///
/// Complexity: O(1) per operation, amortised over growth.
struct Ring<Element> {
    private static var slotsMin: Int { 8 }
    private static var slotsKeptWhenEmpty: Int { 64 }

    private var slots: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The element `index` places behind the front.
    subscript(index: Int) -> Element {
        assert(index >= 0 && index < count, "index \(index) of \(count)")
        guard let element = slots[slot(index)] else {
            preconditionFailure("slot \(index) of \(count) is empty")
        }
        return element
    }

    mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[slot(count)] = element
        count += 1
    }

    @discardableResult
    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head].take()
        head = slot(1)
        count -= 1
        if count == 0, slots.count > Self.slotsKeptWhenEmpty {
            slots = []
            head = 0
        }
        return element
    }

    private func slot(_ index: Int) -> Int {
        (head &+ index) & (slots.count &- 1)
    }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(Self.slotsMin, slots.count * 2))
        for index in 0..<count { larger.append(slots[slot(index)]) }
        while larger.count < max(Self.slotsMin, slots.count * 2) { larger.append(nil) }
        slots = larger
        head = 0
    }
}
