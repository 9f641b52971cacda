import NetPoll
import NetPollTesting
import Testing

@testable import ConnPool

/// A pool core with a clock that is moved by hand, and what it wants done.
struct CoreWorld {
    var core: PoolCore
    var now = Instant(nanoseconds: 1_000_000_000)
    /// All actions so far that were not taken.
    private(set) var actions: [PoolAction] = []

    init(
        seed: UInt64 = 1, runsKeepAlives: Bool = false,
        _ configure: (inout PoolConfiguration) -> Void = { _ in }
    ) {
        var configuration = PoolConfiguration()
        configuration.lifetimeJitter = 0
        configuration.backoff = Backoff(base: .nanoseconds(1), cap: .nanoseconds(1))
        configure(&configuration)
        core = PoolCore(configuration: configuration, runsKeepAlives: runsKeepAlives, seed: seed)
    }

    /// Feeds one input and keeps the actions.
    mutating func feed<Result>(
        _ input: (inout PoolCore, Instant, inout PoolActions) -> Result
    ) -> Result {
        var batch = PoolActions()
        let result = input(&core, now, &batch)
        actions += batch.all
        return result
    }

    mutating func request(
        within timeout: Duration = .seconds(30), waits: Bool = true
    ) -> PoolCore.OnRequest {
        feed { $0.requested(now: $1, deadline: $1 + timeout, waits: waits, into: &$2) }
    }

    /// A request that is expected to be served at once.
    mutating func lease() throws -> PooledConnectionID {
        guard case .granted(let id, _) = request() else {
            Issue.record("not served at once")
            throw Unexpected()
        }
        return id
    }

    /// A request that is expected to wait.
    mutating func wait(within timeout: Duration = .seconds(30)) throws -> WaiterID {
        guard case .queued(let waiter) = request(within: timeout) else {
            Issue.record("does not wait")
            throw Unexpected()
        }
        return waiter
    }

    mutating func release(_ id: PooledConnectionID, heldFor: Duration = .zero) {
        feed { core, now, batch in
            let since = Instant(nanoseconds: now.nanoseconds - heldFor.inNanoseconds)
            core.released(id, since: since, now: now, into: &batch)
        }
    }

    mutating func discard(_ id: PooledConnectionID) {
        feed { $0.discarded(id, .discarded, now: $1, into: &$2) }
    }

    mutating func establish(_ id: PooledConnectionID, capacity: Int? = nil) {
        let isTaken = feed { $0.established(id, capacity: capacity, now: $1, into: &$2) }
        #expect(isTaken)
    }

    mutating func setCapacity(_ id: PooledConnectionID, _ capacity: Int) {
        feed { $0.capacityChanged(id, to: capacity, now: $1, into: &$2) }
    }

    mutating func fail(_ id: PooledConnectionID) {
        feed { $0.dialFailed(id, now: $1, into: &$2) }
    }

    mutating func closed(_ id: PooledConnectionID) {
        feed { $0.closed(id, now: $1, into: &$2) }
    }

    /// Moves the clock, stopping wherever the core wants to be woken.
    mutating func pass(_ duration: Duration) {
        let end = now + duration
        var wakes = 0
        while let next = core.nextWake, next <= end {
            now = max(now, next)
            feed { $0.woken(now: $1, into: &$2) }
            wakes += 1
            guard wakes < 100_000 else {
                Issue.record("the core is woken again and again at \(now)")
                return
            }
        }
        now = end
    }

    mutating func take() -> [PoolAction] {
        defer { actions = [] }
        return actions
    }

    /// The dials among the actions, which are taken.
    mutating func takeDials() -> [PooledConnectionID] {
        take().compactMap { if case .dial(let id) = $0 { id } else { nil } }
    }

    /// Fills the pool with idle connections.
    mutating func fill(_ count: Int) throws -> [PooledConnectionID] {
        var leases: [PooledConnectionID] = []
        while leases.count < count {
            switch request() {
            case .granted(let id, _): leases.append(id)
            case .queued: break
            case .refused, .empty: throw Unexpected()
            }
            for action in take() {
                guard case .dial(let id) = action else { continue }
                establish(id)
            }
            for case .grant(_, let id) in take() { leases.append(id) }
        }
        for id in leases { release(id) }
        _ = take()
        return leases
    }

    struct Unexpected: Error {}
}
