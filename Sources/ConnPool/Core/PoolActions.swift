/// What the core wants done.
enum PoolAction: Hashable, Sendable {
    /// Give a lease to a request that waits.
    case grant(WaiterID, PooledConnectionID)
    /// Tell a request that waits that it gets none.
    case fail(WaiterID, PoolError.Reason)
    /// Connect; then report ``PoolCore/established(_:capacity:now:into:)`` or
    /// ``PoolCore/dialFailed(_:now:into:)``.
    case dial(PooledConnectionID)
    /// Stop a dial. Its end is reported all the same.
    case cancelDial(PooledConnectionID)
    /// Ask the peer whether it is there; then report the answer.
    case probe(PooledConnectionID)
    /// Close; then report ``PoolCore/closed(_:now:into:)``.
    case close(PooledConnectionID, PoolCloseReason)
    /// The pool is closed and has no connection left.
    case finish
}

/// A batch of actions; the first one needs no memory, and seldom is there a second.
struct PoolActions: Sendable {
    private(set) var first: PoolAction?
    private(set) var more: [PoolAction] = []

    var isEmpty: Bool { first == nil }

    /// All of them in their order.
    var all: [PoolAction] { first.map { [$0] + more } ?? [] }

    mutating func append(_ action: PoolAction) {
        if first == nil { first = action } else { more.append(action) }
    }

    var count: Int { first == nil ? 0 : 1 + more.count }

    /// The one at a place in their order.
    subscript(index: Int) -> PoolAction {
        if index == 0, let first { return first }
        return more[index - 1]
    }
}
