/// The tasks that wait to write to one connection, in their order.
struct WriterLine {
    typealias Waiter = UnsafeContinuation<Void, Never>

    private var waiting: [Waiter] = []
    /// Whether a write is under way that waits for room.
    private(set) var isWriting = false

    /// Whether a write may begin now without waiting for another task's.
    var isFree: Bool { !isWriting && waiting.isEmpty }

    /// Begins a write that may wait; others wait until it ends.
    mutating func begin() { isWriting = true }

    mutating func end() {
        isWriting = false
        resumeFirst()
    }

    mutating func append(_ waiter: Waiter) { waiting.append(waiter) }

    /// A writer that was under way goes first.
    mutating func prepend(_ waiter: Waiter) { waiting.insert(waiter, at: 0) }

    mutating func resumeFirst() {
        guard !waiting.isEmpty else { return }
        waiting.removeFirst().resume()
    }

    /// The connection ended: each finds out by itself.
    mutating func resumeAll() {
        let all = waiting
        waiting = []
        for waiter in all { waiter.resume() }
    }
}
