import Synchronization

/// Counts the bytes that a hub holds for its clients, and says what has to give way.
final class MemoryLedger: Sendable {
    /// What is done about it, in this order.
    enum Stage: Hashable {
        case normal
        /// Nobody new is let in.
        case refusing
        /// Histories, and what waits for slow subscribers, the store or the broker, are kept to a part of their
        /// bounds, too.
        case shrinking
    }

    /// What is left of a bound while memory is short.
    static let shrunkTo = 4
    /// What a session is counted as, its connection included.
    static let sessionBytes = 1_024

    private let bytesMax: Int?
    private let held = Atomic(0)

    init(bytesMax: Int?) {
        self.bytesMax = bytesMax
    }

    var bytes: Int { held.load(ordering: .relaxed) }

    var stage: Stage {
        guard let bytesMax else { return .normal }
        let bytes = bytes
        if bytes < bytesMax - bytesMax / 8 { return .normal }
        return bytes < bytesMax ? .refusing : .shrinking
    }

    /// What is left of a bound on what waits: no more than a part of the ceiling, and a part of that while
    /// memory is short.
    func bound(_ waitingBytesMax: Int) -> Int {
        guard let bytesMax else { return waitingBytesMax }
        let most = min(waitingBytesMax, bytesMax / Self.shrunkTo)
        return stage == .shrinking ? most / Self.shrunkTo : most
    }

    func add(_ bytes: Int) {
        guard bytes != 0, bytesMax != nil else { return }
        held.add(bytes, ordering: .relaxed)
    }
}
