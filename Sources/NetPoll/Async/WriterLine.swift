/// The tasks that wait to write to one connection, in their order.
package struct WriterLine {
    package typealias Waiter = UnsafeContinuation<Void, Never>

    private var waiting: [Waiter] = []
    /// Whether a write is under way that waits for room.
    package private(set) var isWriting = false

    package init() {}

    /// Whether a write may begin now without waiting for another task's.
    package var isFree: Bool { !isWriting && waiting.isEmpty }

    /// Begins a write that may wait; others wait until it ends.
    package mutating func begin() { isWriting = true }

    package mutating func end() {
        isWriting = false
        resumeFirst()
    }

    package mutating func append(_ waiter: Waiter) { waiting.append(waiter) }

    /// A writer that was under way goes first.
    package mutating func prepend(_ waiter: Waiter) { waiting.insert(waiter, at: 0) }

    package mutating func resumeFirst() {
        guard !waiting.isEmpty else { return }
        waiting.removeFirst().resume()
    }

    /// The connection ended: each finds out by itself.
    package mutating func resumeAll() {
        let all = waiting
        waiting = []
        for waiter in all { waiter.resume() }
    }
}
