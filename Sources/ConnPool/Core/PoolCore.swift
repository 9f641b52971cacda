internal import NetPoll

/// Decides what a pool does next; ``PoolDriver`` carries the decisions out.
///
/// Knows connections by identifier, requests by their place in the queue, and time as an argument.
/// Every input may add to a batch of ``PoolAction``s. The phases of a connection stand at
/// ``ConnectionRecord/Phase``; a pool's own:
///
///     open ──drain──▶ draining ──all leases back, or deadline──▶ closed ──▶ (finish)
///       └───────────────────────────close───────────────────────▶
///
/// Requests wait only while no connection has room, so the first in the queue is always the next to
/// be served. Lease and return of an idle connection are O(1) and allocate nothing.
struct PoolCore: Sendable {
    /// What becomes of a request.
    enum OnRequest: Hashable, Sendable {
        /// It has a lease; `isFresh` where it is the connection's first.
        case granted(PooledConnectionID, isFresh: Bool)
        /// It waits for ``PoolAction/grant(_:_:)`` or ``PoolAction/fail(_:_:)``.
        case queued(WaiterID)
        case refused(PoolError.Reason)
        /// It would have to wait and does not want to.
        case empty
    }

    enum Lifecycle: Hashable, Sendable {
        case open
        case draining(deadline: Instant)
        /// Closed; told so once the last connection is gone.
        case closing
        case closed
    }

    let configuration: PoolConfiguration
    let times: CoreTimes
    /// Whether the connector can run keepalives.
    let runsKeepAlives: Bool

    var lifecycle = Lifecycle.open
    var connections = ConnectionTable()
    var waiters = WaiterQueue()
    var gate: DialGate
    var random: SplitMix64
    var deadlines = DeadlineHeap()
    /// Rises when what was dialled before is to be replaced.
    var epoch: UInt32 = 0
    /// Connections of which a replacement is wanted, the first to expire first.
    var replacing: [PooledConnectionID] = []
    /// When more dials may be begun than now.
    var dialsCheckedAt = Instant.never

    var counters = PoolCounters()
    /// Leases out.
    var leases = 0
    /// Connections that are ready or being probed.
    var usable = 0
    /// Those of them that are being probed.
    var probing = 0
    var holdTime = Estimate()
    var dialTime = Estimate()

    init(configuration: PoolConfiguration, runsKeepAlives: Bool = false, seed: UInt64) {
        configuration.check()
        self.configuration = configuration
        self.runsKeepAlives = runsKeepAlives
        times = CoreTimes(configuration)
        random = SplitMix64(seed: seed)
        gate = DialGate(configuration)
    }

    /// Whether the pool is neither draining nor closed.
    var isOpen: Bool {
        @inline(__always)
        get { if case .open = lifecycle { true } else { false } }
    }

    // MARK: - Leases

    /// Someone wants a lease, and waits until `deadline` where `waits` says that it may join the
    /// queue.
    mutating func requested(
        now: Instant, deadline: Instant, waits: Bool, into actions: inout PoolActions
    ) -> OnRequest {
        if let (id, isFresh) = requestedAtOnce(now: now) {
            return .granted(id, isFresh: isFresh)
        }
        return requestedInFull(now: now, deadline: deadline, waits: waits, into: &actions)
    }

    /// What ``requested(now:deadline:waits:into:)`` does after ``requestedAtOnce(now:)``, for who
    /// tried that already.
    mutating func requestedInFull(
        now: Instant, deadline: Instant, waits: Bool, into actions: inout PoolActions
    ) -> OnRequest {
        switch lifecycle {
        case .open: break
        case .draining: return .refused(.draining)
        case .closing, .closed: return .refused(.closed)
        }
        if waiters.isEmpty {
            while let slot = nextToLease {
                if connections[slot].membership == .idle, isPast(slot, now) {
                    close(slot, idleReason(slot, now), now, into: &actions)
                    continue
                }
                let isFresh = connections[slot].uses == 0
                take(slot)
                counters.leasedAtOnce += 1
                if configuration.idleMin > 0 { adjustDials(now, into: &actions) }
                return .granted(connections.id(slot), isFresh: isFresh)
            }
        }
        guard waits else { return .empty }
        return join(now, deadline, into: &actions)
    }

    /// A lease came back that was given at `since`. What is unknown, because it was closed by force
    /// meanwhile, is ignored.
    mutating func released(
        _ id: PooledConnectionID, since: Instant, now: Instant, into actions: inout PoolActions
    ) {
        if releasedAtOnce(id, since: since, now: now) { return }
        releasedInFull(id, since: since, now: now, into: &actions)
    }

    /// What ``released(_:since:now:into:)`` does after ``releasedAtOnce(_:since:now:)``, for who tried
    /// that already.
    mutating func releasedInFull(
        _ id: PooledConnectionID, since: Instant, now: Instant, into actions: inout PoolActions
    ) {
        holdTime.add(nanoseconds: now.nanoseconds - since.nanoseconds)
        guard let slot = returnUnit(id) else { return }
        connections.records[Int(slot)].provedAt = now
        settle(slot, now, into: &actions)
        adjustDials(now, into: &actions)
    }

    /// A lease came back, of a connection that no one is to get again.
    mutating func discarded(
        _ id: PooledConnectionID, _ reason: PoolCloseReason, now: Instant,
        into actions: inout PoolActions
    ) {
        guard let slot = returnUnit(id) else { return }
        connections.records[Int(slot)].retire(reason)
        settle(slot, now, into: &actions)
        adjustDials(now, into: &actions)
    }

    /// A request does not want to wait any more. Without effect where it does not wait.
    mutating func cancelled(
        _ id: WaiterID, now: Instant, into actions: inout PoolActions
    ) {
        guard waiters.leave(id) else { return }
        counters.cancelled += 1
        actions.append(.fail(id, .cancelled))
        adjustDials(now, into: &actions)
    }

    // MARK: - Leasing

    /// The connection that the next lease is of.
    var nextToLease: Int32? {
        // Those in use first, so that a pool of shared connections does not keep more than it needs.
        if connections.shared.head >= 0 { return connections.shared.head }
        switch configuration.idleOrder {
        case .lifo: return connections.idle.tail >= 0 ? connections.idle.tail : nil
        case .fifo: return connections.idle.head >= 0 ? connections.idle.head : nil
        }
    }

    /// Takes one unit of a connection that has room.
    mutating func take(_ slot: Int32) {
        leases += 1
        counters.leased += 1
        let (former, membership) = connections.records[Int(slot)].take()
        guard former != membership else { return }
        connections.unlink(slot)
        if membership != .none { connections.append(slot, to: membership) }
    }

    private mutating func returnUnit(_ id: PooledConnectionID) -> Int32? {
        counters.returned += 1
        guard let slot = connections.slot(of: id), connections[slot].phase == .ready else {
            return nil
        }
        assert(connections[slot].leased > 0, "connection \(id) was returned more often than leased")
        connections.records[Int(slot)].leased -= 1
        leases -= 1
        return slot
    }

    /// Puts a ready connection where it belongs: to those that wait, to the idle, or away.
    mutating func settle(_ slot: Int32, _ now: Instant, into actions: inout PoolActions) {
        if let reason = retirement(slot, now) {
            connections.unlink(slot)
            connections.records[Int(slot)].retirement = reason
            if connections[slot].leased == 0 { close(slot, reason, now, into: &actions) }
            return
        }
        while connections[slot].hasRoom, let waiter = waiters.first {
            waiters.leave(waiter)
            take(slot)
            actions.append(.grant(waiter, connections.id(slot)))
        }
        place(slot, now)
    }

    /// Puts a ready connection, which nobody waits for, into the list it belongs to.
    mutating func place(_ slot: Int32, _ now: Instant) {
        let former = connections.records[Int(slot)].membership
        let membership = connections.records[Int(slot)].membershipDue
        guard former != membership else { return }
        connections.unlink(slot)
        guard membership != .none else { return }
        if membership == .idle { connections.records[Int(slot)].idleSince = now }
        connections.append(slot, to: membership)
        arm(slot, now)
    }

    /// Why a connection is to be leased no more, if so.
    ///
    /// Inlined: the call would copy the core.
    @inline(__always)
    private func retirement(_ slot: Int32, _ now: Instant) -> PoolCloseReason? {
        let record = connections[slot]
        if let reason = record.retirement { return reason }
        if !isOpen { return .shutdown }
        if record.capacity == 0 { return .retired }
        if now >= record.expiresAt { return .expired }
        return record.epoch == epoch ? nil : .outdated
    }
}
