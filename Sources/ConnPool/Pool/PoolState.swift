internal import NetPoll

/// What a driver's lock guards: the core, and what belongs to its identifiers.
struct PoolState {
    var core: PoolCore
    var seats = WaiterSeats()
    /// By slot.
    private var objects: [PooledObject?] = []
    /// Tasks of dials and keepalives, to be cancelled.
    private var tasks: [PooledConnectionID: Task<Void, Never>] = [:]
    /// Connections that were reported closed while they were still being dialled.
    private var brokenEarly: Set<PooledConnectionID> = []
    private var armedAt = Instant.never
    private var breaker: CircuitBreaker.State?
    private(set) var lastDialError: (any Error)?
    var leaks: LeakTracker?
    var enders: [UnsafeContinuation<Void, Never>] = []

    var waitTimes = DurationHistogram()
    var holdTimes = DurationHistogram()
    var dialTimes = DurationHistogram()

    init(core: PoolCore) {
        self.core = core
        breaker = core.gate.breaker?.state
        leaks = core.configuration.leakThreshold.map { LeakTracker(threshold: $0) }
    }

    // MARK: - Requests

    /// The lease that the core granted at once, if it did.
    mutating func granted(
        _ outcome: PoolCore.OnRequest, _ site: () -> AcquisitionSite, _ now: Instant
    ) -> Grant? {
        guard case .granted(let id, let isFresh) = outcome else { return nil }
        return grant(id, isFresh: isFresh, leaks == nil ? nil : site(), now)
    }

    /// A lease where the core grants one without further ado.
    mutating func grantedAtOnce(_ now: Instant) -> Grant? {
        guard leaks == nil, let (id, isFresh) = core.requestedAtOnce(now: now) else { return nil }
        return grant(id, isFresh: isFresh, nil, now)
    }

    /// Takes a lease back where that has no further effect.
    mutating func returnedAtOnce(_ grant: Grant, _ now: Instant) -> Bool {
        guard grant.record == 0,
            core.releasedAtOnce(grant.id, since: grant.since, now: now)
        else { return false }
        holdTimes.add(nanoseconds: now.nanoseconds - grant.since.nanoseconds)
        return true
    }

    /// A lease came back, whatever follows.
    mutating func returned(_ grant: Grant, _ now: Instant) {
        if grant.record != 0 { leaks?.returned(grant.record) }
        holdTimes.add(nanoseconds: now.nanoseconds - grant.since.nanoseconds)
    }

    private mutating func grant(
        _ id: PooledConnectionID, isFresh: Bool, _ site: AcquisitionSite?, _ now: Instant
    ) -> Grant {
        guard let object = objects[Int(id.slot)] else {
            preconditionFailure("connection \(id) was leased and is not there")
        }
        var record: LeakTracker.Key = 0
        if let site { record = leaks?.taken(id, at: site, now: now) ?? 0 }
        return Grant(connection: object, id: id, isFresh: isFresh, since: now, record: record)
    }

    /// The error of a request that did not wait.
    func error(_ reason: PoolError.Reason) -> PoolError {
        PoolError(
            reason: reason, waited: .zero, queuePosition: nil, pool: core.snapshot,
            lastDialError: lastDialError)
    }

    private func error(
        _ reason: PoolError.Reason, of waiter: WaiterID, _ now: Instant
    ) -> PoolError {
        PoolError(
            reason: reason, waited: now - core.waiters.joinedAt(waiter),
            queuePosition: core.waiters.position(waiter), pool: core.snapshot,
            lastDialError: lastDialError)
    }

    // MARK: - Connections

    /// Keeps the task of a dial or keepalive; `false` where it is not wanted any more.
    mutating func keep(_ task: Task<Void, Never>, of id: PooledConnectionID) -> Bool {
        guard core.isUnderWay(id) else { return false }
        tasks[id] = task
        return true
    }

    /// A dial brought a connection; `false` where it is to be closed.
    mutating func established(
        _ id: PooledConnectionID, _ object: PooledObject, _ now: Instant,
        into actions: inout PoolActions
    ) -> Bool {
        tasks[id] = nil
        if brokenEarly.remove(id) != nil {
            dialFailed(id, ClosedAtOnce(), now, into: &actions)
            return false
        }
        while objects.count <= Int(id.slot) { objects.append(nil) }
        guard let begun = core.dialBegan(id) else { return false }
        objects[Int(id.slot)] = object
        dialTimes.add(nanoseconds: now.nanoseconds - begun.nanoseconds)
        lastDialError = nil
        return core.established(id, now: now, into: &actions)
    }

    /// A dial ended without a connection; `false` where it had been given up.
    @discardableResult
    mutating func dialFailed(
        _ id: PooledConnectionID, _ error: any Error, _ now: Instant,
        into actions: inout PoolActions
    ) -> Bool {
        tasks[id] = nil
        brokenEarly.remove(id)
        let isFailure = core.isDialling(id)
        if isFailure { lastDialError = error }
        core.dialFailed(id, now: now, into: &actions)
        return isFailure
    }

    /// A connection was reported closed or broken.
    mutating func broke(
        _ id: PooledConnectionID, _ now: Instant, into actions: inout PoolActions
    ) {
        if core.isUnderWay(id), !core.isProbing(id) {
            brokenEarly.insert(id)
        } else {
            core.broke(id, .closedByPeer, now: now, into: &actions)
        }
    }

    /// Whether a connection is known to be of no more use.
    func isBroken(_ id: PooledConnectionID) -> Bool { core.isBroken(id) }

    // MARK: - Effects

    /// When the clock is to wake the pool, where it does not know yet.
    var wakeToAskFor: Instant? {
        mutating get {
            // The clock would keep the pool for deadlines that mean nothing any more.
            if case .closed = core.lifecycle { return nil }
            var next = core.nextWake ?? .never
            if let leaks, let check = leaks.nextCheck { next = min(next, check) }
            guard next < armedAt else { return nil }
            armedAt = next
            return next
        }
    }

    /// The clock woke the pool.
    mutating func woken(now: Instant, into actions: inout PoolActions) -> [OverdueLease] {
        armedAt = .never
        core.woken(now: now, into: &actions)
        var overdue: [OverdueLease] = []
        while let lease = leaks?.nextOverdue(now) { overdue.append(lease) }
        return overdue
    }

    /// What is to be done after an input; `nil` where that is nothing.
    mutating func effects(of actions: PoolActions, _ now: Instant) -> PoolEffects? {
        let wakeAt = actions.isEmpty ? wakeToAskFor : nil
        if actions.isEmpty, wakeAt == nil { return nil }
        var effects = PoolEffects()
        if !actions.isEmpty { resolve(actions, now, into: &effects) }
        effects.wakeAt = wakeAt ?? wakeToAskFor
        return effects
    }

    /// Turns what the core wants into what the driver can do without the lock.
    private mutating func resolve(
        _ actions: PoolActions, _ now: Instant, into effects: inout PoolEffects
    ) {
        for index in 0..<actions.count {
            switch actions[index] {
            case .grant(let waiter, let id):
                let waited = now.nanoseconds - core.waiters.joinedAt(waiter).nanoseconds
                waitTimes.add(nanoseconds: waited)
                let isFresh = core.connections[id.slot].uses == 1
                let grant = grant(id, isFresh: isFresh, seats.site(waiter), now)
                settle(waiter, .leased(grant), into: &effects)
            case .fail(let waiter, let reason):
                settle(waiter, .failed(error(reason, of: waiter, now)), into: &effects)
            case .dial(let id): effects.append(.dial(id))
            case .cancelDial(let id):
                // It may have been too slow: then nobody will say why it failed.
                if core.connections.slot(of: id) == nil, core.lifecycle == .open {
                    let error = DialTimedOut(timeout: core.configuration.dialTimeout)
                    lastDialError = error
                    effects.append(.tell(.dialFailed(id, error)))
                }
                if let task = tasks.removeValue(forKey: id) { effects.append(.cancel(task)) }
            case .probe(let id):
                if let object = objects[Int(id.slot)] { effects.append(.probe(id, object)) }
            case .close(let id, let reason):
                if let task = tasks.removeValue(forKey: id) { effects.append(.cancel(task)) }
                if let object = objects[Int(id.slot)] {
                    objects[Int(id.slot)] = nil
                    effects.append(.close(id, object, reason))
                }
            case .finish:
                effects.append(.finish(enders))
                enders = []
            }
        }
        let breaker = core.gate.breaker?.state
        if let breaker, breaker != self.breaker { effects.append(.tell(.breaker(breaker))) }
        self.breaker = breaker
    }

    private mutating func settle(
        _ waiter: WaiterID, _ outcome: LeaseOutcome, into effects: inout PoolEffects
    ) {
        if let continuation = seats.settle(waiter, outcome) {
            effects.append(.resume(continuation, outcome))
        }
    }
}

/// The peer closed a connection before it could be used.
struct ClosedAtOnce: Error, CustomStringConvertible {
    var description: String { "the peer closed the connection at once" }
}

/// A dial took too long.
struct DialTimedOut: Error, CustomStringConvertible {
    let timeout: Duration

    var description: String { "the dial took longer than \(timeout)" }
}
