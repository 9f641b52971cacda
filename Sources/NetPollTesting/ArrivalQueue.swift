import NetPoll

/// What arrives, by the moment at which it does; a binary heap.
struct ArrivalQueue<Element> {
    private var heap: [(at: Instant, order: UInt64, element: Element)] = []
    private var pushed: UInt64 = 0

    var first: Instant? { heap.first?.at }

    mutating func push(_ instant: Instant, _ element: Element) {
        heap.append((instant, pushed, element))
        pushed += 1
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes the first element whose moment has come, in the order of moments, then of pushes.
    mutating func popDue(_ now: Instant) -> Element? {
        guard let first = heap.first, first.at <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && precedes(child, least) {
                least = child
            }
            if least == parent { return first.element }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].at, heap[left].order) < (heap[right].at, heap[right].order)
    }
}
