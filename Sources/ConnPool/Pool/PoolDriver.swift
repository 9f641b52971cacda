internal import NetPoll
internal import Synchronization

/// Carries out what ``PoolCore`` decides, for callers on any thread.
///
/// One short lock guards the core and what belongs to it. Under the lock nothing is called but the
/// core: continuations are resumed, tasks started and events told after it was let go of. So two
/// threads may carry out their effects in another order than the core decided them in; whatever is
/// late finds its identifier's generation or phase changed.
final class PoolDriver: Sendable {
    let configuration: PoolConfiguration
    let backend: any PoolBackend
    let events = EventHub()
    let clock: any PoolClock
    let executor: (any TaskExecutor)?
    private let leaseTimeout: Int64
    /// Whether ``clock`` is the system's, which is asked without a detour.
    private let usesSystemClock: Bool
    let state: Mutex<PoolState>

    init(
        _ configuration: PoolConfiguration, _ backend: any PoolBackend, _ clock: any PoolClock,
        executor: (any TaskExecutor)?, seed: UInt64
    ) {
        self.configuration = configuration
        self.backend = backend
        self.clock = clock
        self.executor = executor
        usesSystemClock = clock.isSystems
        leaseTimeout = configuration.leaseTimeout.inNanoseconds
        state = Mutex(
            PoolState(
                core: PoolCore(
                    configuration: configuration, runsKeepAlives: backend.runsKeepAlives,
                    seed: seed)))
        // A minimum of idle connections is dialled from the start.
        if configuration.idleMin > 0 { feed { $0.core.adjustDials($1, into: &$2) } }
    }

    var now: Instant { usesSystemClock ? Platform.monotonicNow : clock.now }

    // MARK: - Leases

    /// A lease where one is to be had at once.
    func tryLease(
        at moment: Instant? = nil, _ site: @autoclosure () -> AcquisitionSite
    ) -> Grant? {
        var tries = 0
        while true {
            let grant = feed(at: moment) { state, now in
                state.grantedAtOnce(now).map(Optional.some)
            } else: { state, now, actions in
                state.granted(
                    state.core.requestedInFull(
                        now: now, deadline: now, waits: false, into: &actions), site, now)
            }
            guard let grant, let grant = checked(grant, &tries) else {
                if grant == nil { return nil }
                continue
            }
            return grant
        }
    }

    /// What becomes of a request as soon as it is made.
    enum OnAsk {
        case leased(Grant)
        /// It stands in the queue: ``wait(_:)`` is to follow.
        case waits(WaiterSeats.Seat)
        indirect case failed(PoolError)
    }

    /// Asks for a lease; joins the queue where there is none.
    func ask(_ deadline: Instant?, _ site: @autoclosure () -> AcquisitionSite) -> OnAsk {
        var tries = 0
        while true {
            var failure: PoolError?
            var seat: WaiterSeats.Seat?
            let grant = feed { state, now in
                state.grantedAtOnce(now).map(Optional.some)
            } else: { state, now, actions -> Grant? in
                let deadline = deadline ?? now.after(leaseTimeout)
                let outcome = state.core.requestedInFull(
                    now: now, deadline: deadline, waits: true, into: &actions)
                switch outcome {
                case .granted: return state.granted(outcome, site, now)
                case .queued(let waiter):
                    seat = state.seats.take(waiter, state.leaks == nil ? nil : site())
                case .refused(let reason): failure = state.error(reason)
                case .empty: preconditionFailure("a request that waits was told to come again")
                }
                return nil
            }
            if let failure { return .failed(failure) }
            if let seat { return .waits(seat) }
            if let grant, let grant = checked(grant, &tries) { return .leased(grant) }
        }
    }

    /// Waits for a lease until there is one, or the request's deadline or cancellation.
    func wait(_ seat: WaiterSeats.Seat) async throws(PoolError) -> Grant {
        switch await outcome(seat) {
        case .leased(let grant): return grant
        case .failed(let error): throw error
        }
    }

    private func outcome(_ seat: WaiterSeats.Seat) async -> LeaseOutcome {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let outcome = state.withLock { $0.seats.suspend(seat, continuation) }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            feed { state, now, actions in
                guard let waiter = state.seats.waiter(seat) else { return }
                state.core.cancelled(waiter, now: now, into: &actions)
            }
        }
    }

    /// Lets the backend look at a connection that was idle; replaces one that is dead.
    private func checked(_ grant: Grant, _ tries: inout Int) -> Grant? {
        guard backend.checksHealth, !grant.isFresh, !backend.isHealthy(grant.connection) else {
            return grant
        }
        tries += 1
        feed { state, now, actions in
            state.core.counters.staleReplaced += 1
            state.leaks?.returned(grant.record)
            state.core.discarded(grant.id, .unhealthy, now: now, into: &actions)
            guard tries > state.core.configuration.staleTriesMax else { return }
            state.core.distrustIdle(now: now, into: &actions)
        }
        return nil
    }

    /// A lease came back.
    func release(_ grant: Grant, at moment: Instant? = nil) {
        switch backend.returned(grant.connection) {
        case .clean: takeBack(grant, at: moment)
        case .poisoned: finish(grant, .poisoned)
        case .elsewhere:
            let willRun = backend.runAtHome(grant.connection) { [self] in
                if backend.returned(grant.connection) == .clean {
                    takeBack(grant)
                } else {
                    finish(grant, .poisoned)
                }
            }
            if !willRun { finish(grant, .discarded) }
        }
    }

    /// A lease came back whose connection is of no more use.
    func discard(_ grant: Grant) { finish(grant, .discarded) }

    private func takeBack(_ grant: Grant, at moment: Instant? = nil) {
        feed(at: moment) { state, now in
            state.returnedAtOnce(grant, now) ? () : nil
        } else: { state, now, actions in
            state.returned(grant, now)
            state.core.releasedInFull(grant.id, since: grant.since, now: now, into: &actions)
        }
    }

    private func finish(_ grant: Grant, _ failure: PoolCloseReason) {
        feed { state, now, actions in
            state.returned(grant, now)
            state.core.discarded(grant.id, failure, now: now, into: &actions)
        }
    }

    /// Whether a connection was reported broken.
    func isBroken(_ id: PooledConnectionID) -> Bool {
        state.withLock { $0.isBroken(id) }
    }

    func distrustIdle() {
        feed { $0.core.distrustIdle(now: $1, into: &$2) }
    }

    /// What was dialled so far is to be replaced.
    func replaceAll() {
        feed { $0.core.outdated(now: $1, into: &$2) }
    }

    // MARK: - Reports

    func report(
        _ id: PooledConnectionID,
        _ body: (inout PoolCore, PooledConnectionID, Instant, inout PoolActions) -> Void
    ) {
        feed { body(&$0.core, id, $1, &$2) }
    }

    /// A connection broke, perhaps before its dial was done.
    func broke(_ id: PooledConnectionID) {
        feed { $0.broke(id, $1, into: &$2) }
    }

    // MARK: - Ends

    /// Gives no more leases, waits for those that are out until `deadline`, then closes all.
    func drain(until deadline: Instant) async {
        feed { $0.core.drained(now: $1, deadline: deadline, into: &$2) }
        events.tell(.draining)
        await ended()
    }

    func close() {
        feed { $0.core.closed(now: $1, into: &$2) }
    }

    /// Returns once the pool is closed and has no connection left.
    func ended() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let isOver = state.withLock { state in
                if state.core.lifecycle == .closed { return true }
                state.enders.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    // MARK: - The lock, and what follows it

    /// Looks at the state, under the lock.
    func read<Result>(_ body: (borrowing PoolState) -> Result) -> Result {
        state.withLock { body($0) }
    }

    /// Feeds the core one input and carries out what it wants.
    @discardableResult
    @inline(__always)
    func feed<Result>(_ input: (inout PoolState, Instant, inout PoolActions) -> Result) -> Result {
        feed(at: nil, { _, _ in nil }, else: input)
    }

    /// Feeds the core an input of which `usual` handles the cases without effects; it returns `nil`
    /// for the others.
    @discardableResult
    @inline(__always)
    func feed<Result>(
        at moment: Instant? = nil, _ usual: (inout PoolState, Instant) -> Result?,
        else input: (inout PoolState, Instant, inout PoolActions) -> Result
    ) -> Result {
        let now = moment ?? now
        var effects: PoolEffects?
        // Also the usual may have something due: a connection that is idle for the first time.
        var wakeAt: Instant?
        let result = state.withLock { state in
            if let result = usual(&state, now) {
                wakeAt = state.wakeToAskFor
                return result
            }
            var actions = PoolActions()
            let result = input(&state, now, &actions)
            effects = state.effects(of: actions, now)
            return result
        }
        if let effects { carryOut(effects) }
        if let wakeAt { clock.wake(self, at: wakeAt) }
        return result
    }
}
