internal import NetPoll

/// What a driver does after it let go of its lock: actions of the core, with what they are about.
enum PoolEffect {
    case resume(UnsafeContinuation<LeaseOutcome, Never>, LeaseOutcome)
    case dial(PooledConnectionID)
    case cancel(Task<Void, Never>)
    case probe(PooledConnectionID, PooledObject)
    case close(PooledConnectionID, PooledObject, PoolCloseReason)
    case tell(PoolEvent)
    /// The pool is at its end; those wait for it.
    case finish([UnsafeContinuation<Void, Never>])
}

/// A batch of effects; the first one needs no memory.
struct PoolEffects {
    private var first: PoolEffect?
    private var more: [PoolEffect] = []
    /// When the clock is to wake the pool, where it does not know yet.
    var wakeAt: Instant?

    mutating func append(_ effect: PoolEffect) {
        if first == nil { first = effect } else { more.append(effect) }
    }

    func forEach(_ body: (PoolEffect) -> Void) {
        guard let first else { return }
        body(first)
        for effect in more { body(effect) }
    }
}

/// A lease as the driver gives it.
struct Grant: Sendable {
    let connection: PooledObject
    let id: PooledConnectionID
    /// Whether the connection was never leased before.
    let isFresh: Bool
    let since: Instant
    let record: LeakTracker.Key
}

/// What becomes of a request.
enum LeaseOutcome: Sendable {
    case leased(Grant)
    indirect case failed(PoolError)
}
