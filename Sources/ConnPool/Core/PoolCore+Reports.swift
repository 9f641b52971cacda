internal import NetPoll

// What connections report of themselves.
extension PoolCore {
    /// The peer closed a connection, or it broke. An idle one leaves at once; one that is leased
    /// when its last lease comes back.
    mutating func broke(
        _ id: PooledConnectionID, _ reason: PoolCloseReason, now: Instant,
        into actions: inout PoolActions
    ) {
        guard let slot = connections.slot(of: id) else { return }
        switch connections[slot].phase {
        case .ready:
            // A server that accepts and closes at once is no better than one that refuses.
            if connections[slot].uses == 0 { gate.failed(nil, now, using: &random) }
            connections.records[Int(slot)].retire(reason)
            settle(slot, now, into: &actions)
        case .probing:
            probeEnded(slot, reason, now, into: &actions)
        // A dial reports its own end, and what is closing is closed anyway.
        case .unused, .dialling, .abandoned, .closing: return
        }
        adjustDials(now, into: &actions)
    }

    /// Bytes came that nobody had asked for: poison, where no lease is out.
    mutating func receivedUnasked(
        _ id: PooledConnectionID, now: Instant, into actions: inout PoolActions
    ) {
        guard let slot = connections.slot(of: id), connections[slot].phase == .ready,
            connections[slot].leased == 0
        else { return }
        broke(id, .poisoned, now: now, into: &actions)
    }

    /// Whether a connection is being dialled, and nobody gave that up.
    func isDialling(_ id: PooledConnectionID) -> Bool {
        connections.slot(of: id).map { connections[$0].phase == .dialling } ?? false
    }

    func isProbing(_ id: PooledConnectionID) -> Bool {
        connections.slot(of: id).map { connections[$0].phase == .probing } ?? false
    }

    /// Whether a dial or keepalive of a connection is awaited.
    func isUnderWay(_ id: PooledConnectionID) -> Bool {
        dialBegan(id) != nil || isProbing(id)
    }

    /// When the dial of a connection began that has not ended.
    func dialBegan(_ id: PooledConnectionID) -> Instant? {
        guard let slot = connections.slot(of: id) else { return nil }
        switch connections[slot].phase {
        case .dialling, .abandoned: return connections[slot].bornAt
        case .unused, .ready, .probing, .closing: return nil
        }
    }

    /// Whether a connection is known to be of no more use.
    func isBroken(_ id: PooledConnectionID) -> Bool {
        guard let slot = connections.slot(of: id) else { return true }
        return connections[slot].retirement.map { !$0.isOrderly } ?? false
    }

    /// A connection takes so many leases at a time from now on; with 0 none, and it is closed when
    /// the last one is back.
    mutating func capacityChanged(
        _ id: PooledConnectionID, to capacity: Int, now: Instant,
        into actions: inout PoolActions
    ) {
        precondition(capacity >= 0, "capacity of \(capacity)")
        guard let slot = connections.slot(of: id) else { return }
        connections.records[Int(slot)].capacity = Int32(clamping: capacity)
        guard connections[slot].phase == .ready else { return }
        noteIfUseless(slot, now)
        settle(slot, now, into: &actions)
        adjustDials(now, into: &actions)
    }

    /// A server that accepts and takes no lease, as one that shuts down, is no better than one that
    /// refuses: without a pause it would be dialled again and again.
    mutating func noteIfUseless(_ slot: Int32, _ now: Instant) {
        guard connections[slot].capacity == 0, connections[slot].uses == 0,
            connections[slot].retirement == nil
        else { return }
        gate.failed(nil, now, using: &random)
    }

    /// Closing, begun by ``PoolAction/close(_:_:)``, is done.
    mutating func closed(
        _ id: PooledConnectionID, now: Instant, into actions: inout PoolActions
    ) {
        guard let slot = connections.slot(of: id), connections[slot].phase == .closing else {
            return
        }
        remove(slot, into: &actions)
        adjustDials(now, into: &actions)
    }

    // MARK: - Keepalive

    /// The peer answered a keepalive.
    mutating func probeSucceeded(
        _ id: PooledConnectionID, now: Instant, into actions: inout PoolActions
    ) {
        guard let slot = connections.slot(of: id), connections[slot].phase == .probing else {
            return
        }
        probeEnded(slot, nil, now, into: &actions)
        adjustDials(now, into: &actions)
    }

    /// A keepalive failed.
    mutating func probeFailed(
        _ id: PooledConnectionID, now: Instant, into actions: inout PoolActions
    ) {
        guard let slot = connections.slot(of: id), connections[slot].phase == .probing else {
            return
        }
        probeEnded(slot, .unanswered, now, into: &actions)
        adjustDials(now, into: &actions)
    }

    mutating func probe(_ slot: Int32, _ now: Instant, into actions: inout PoolActions) {
        connections.unlink(slot)
        connections.records[Int(slot)].phase = .probing
        connections.records[Int(slot)].due = now.after(times.keepAliveTimeout)
        probing += 1
        counters.probes += 1
        arm(slot, now)
        actions.append(.probe(connections.id(slot)))
    }

    mutating func probeEnded(
        _ slot: Int32, _ failure: PoolCloseReason?, _ now: Instant,
        into actions: inout PoolActions
    ) {
        probing -= 1
        connections.records[Int(slot)].phase = .ready
        connections.records[Int(slot)].due = .never
        if let failure {
            close(slot, failure, now, into: &actions)
            return
        }
        connections.records[Int(slot)].provedAt = now
        let idleSince = connections[slot].idleSince
        settle(slot, now, into: &actions)
        // A keepalive is no use: the idle time runs on.
        guard connections[slot].membership == .idle else { return }
        connections.unlink(slot)
        connections.records[Int(slot)].idleSince = idleSince
        connections.reinsertIdle(slot)
        arm(slot, now)
    }
}
