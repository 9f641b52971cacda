import NetPoll

/// Endpoints by the moment at which something reaches them; a binary heap.
struct ArrivalQueue {
    private var heap: [(at: Instant, order: UInt64, endpoint: Endpoint)] = []
    private var pushed: UInt64 = 0

    var first: Instant? { heap.first?.at }

    mutating func push(_ instant: Instant, _ endpoint: Endpoint) {
        heap.append((instant, pushed, endpoint))
        pushed += 1
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes the first endpoint whose moment has come, in the order of moments, then of pushes.
    mutating func popDue(_ now: Instant) -> Endpoint? {
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
            if least == parent { return first.endpoint }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        (heap[left].at, heap[left].order) < (heap[right].at, heap[right].order)
    }
}
