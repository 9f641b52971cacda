import Synchronization

/// Counts the listeners of a port that are open, and the loops that may have connections of theirs to take
/// in yet: the last one to close ends their sequence.
final class OpenListeners: Sendable {
    private let count = Atomic<Int>(0)

    func opened() { count.add(1, ordering: .relaxed) }

    /// - Returns: Whether it was the last one.
    func closed() -> Bool {
        count.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
    }
}
