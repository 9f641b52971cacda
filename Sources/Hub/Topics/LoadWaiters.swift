/// What sessions wait to do once a topic is read.
///
/// A store may fail for long, and clients come and go meanwhile: of sessions that have ended no more is kept
/// than of those that wait, and a little besides.
struct LoadWaiters {
    private struct Waiter {
        private(set) weak var life: SessionLife?
        let body: @Sendable () -> Void
    }

    /// Waiters that are kept without a look at whose they are.
    private static let unseenMax = 64

    private var waiters: [Waiter] = []
    private var unseen = 0

    var count: Int { waiters.count }

    mutating func append(during life: SessionLife, _ body: @escaping @Sendable () -> Void) {
        if unseen >= max(Self.unseenMax, waiters.count / 2) {
            waiters.removeAll { $0.life == nil }
            unseen = 0
        }
        waiters.append(Waiter(life: life, body: body))
        unseen += 1
    }

    mutating func takeAll() -> [@Sendable () -> Void] {
        defer { self = LoadWaiters() }
        return waiters.filter { $0.life != nil }.map(\.body)
    }
}

/// Ends with its session: what is kept for the session elsewhere refers to it weakly.
final class SessionLife: Sendable {}
