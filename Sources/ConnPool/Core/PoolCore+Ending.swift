internal import NetPoll

// How connections, and the pool, come to their end.
extension PoolCore {
    /// Closes a connection, leases or not.
    mutating func close(
        _ slot: Int32, _ reason: PoolCloseReason, _ now: Instant, into actions: inout PoolActions
    ) {
        assert(connections[slot].phase == .ready, "closing slot \(slot) twice")
        connections.unlink(slot)
        usable -= 1
        leases -= Int(connections[slot].leased)
        if connections[slot].isBeingReplaced {
            let id = connections.id(slot)
            replacing.removeAll { $0 == id }
        }
        connections.records[Int(slot)].leased = 0
        connections.records[Int(slot)].phase = .closing
        connections.records[Int(slot)].retirement = reason
        connections.records[Int(slot)].due = now.after(times.closeTimeout)
        counters.closed += 1
        arm(slot, now)
        actions.append(.close(connections.id(slot), reason))
    }

    /// Gives up the place of a closed connection.
    mutating func remove(_ slot: Int32, into actions: inout PoolActions) {
        connections.remove(slot)
        finishIfEmpty(into: &actions)
    }

    /// Waits no longer for connections that are being closed.
    mutating func closesGivenUp(into actions: inout PoolActions) {
        for slot in connections.slots where connections[slot].phase == .closing {
            remove(slot, into: &actions)
        }
    }

    // MARK: - All connections

    /// The endpoint's addresses changed: idle connections are closed, leased ones when they come
    /// back, those being dialled when they are there.
    mutating func outdated(now: Instant, into actions: inout PoolActions) {
        epoch &+= 1
        closeIdle(.outdated, now, into: &actions)
        while connections.shared.head >= 0 {
            settle(connections.shared.head, now, into: &actions)
        }
        adjustDials(now, into: &actions)
    }

    /// Several idle connections were found dead: none of the others is trusted.
    mutating func distrustIdle(now: Instant, into actions: inout PoolActions) {
        closeIdle(.distrusted, now, into: &actions)
        adjustDials(now, into: &actions)
    }

    private mutating func closeIdle(
        _ reason: PoolCloseReason, _ now: Instant, into actions: inout PoolActions
    ) {
        while connections.idle.head >= 0 {
            close(connections.idle.head, reason, now, into: &actions)
        }
    }

    // MARK: - The pool

    /// No more leases: who waits is told, and leases that are out are awaited until `deadline`.
    mutating func drained(
        now: Instant, deadline: Instant, into actions: inout PoolActions
    ) {
        switch lifecycle {
        case .open: break
        case .draining(let earlier):
            lifecycle = .draining(deadline: min(earlier, deadline))
            return
        case .closing, .closed: return
        }
        lifecycle = .draining(deadline: deadline)
        dialsCheckedAt = .never
        failAll(.draining, into: &actions)
        closeIdle(.shutdown, now, into: &actions)
        stopDials(into: &actions)
        for slot in connections.slots where connections[slot].phase == .ready {
            settle(slot, now, into: &actions)
        }
        for slot in connections.slots where connections[slot].phase == .probing {
            probeEnded(slot, .shutdown, now, into: &actions)
        }
        finishIfEmpty(into: &actions)
    }

    /// Closes everything, leases that are out included.
    mutating func closed(now: Instant, into actions: inout PoolActions) {
        switch lifecycle {
        case .open, .draining: lifecycle = .closing
        case .closing, .closed: return
        }
        dialsCheckedAt = .never
        failAll(.closed, into: &actions)
        stopDials(into: &actions)
        for slot in connections.slots {
            switch connections[slot].phase {
            case .ready: close(slot, .shutdown, now, into: &actions)
            case .probing: probeEnded(slot, .shutdown, now, into: &actions)
            case .unused, .dialling, .abandoned, .closing: break
            }
        }
        finishIfEmpty(into: &actions)
    }

    /// A pool that ends does not wait for dials: what they bring is closed when it comes.
    private mutating func stopDials(into actions: inout PoolActions) {
        for slot in connections.slots {
            switch connections[slot].phase {
            case .dialling:
                counters.dialsElided += 1
                actions.append(.cancelDial(connections.id(slot)))
                connections.remove(slot)
            case .abandoned: connections.remove(slot)
            case .unused, .ready, .probing, .closing: break
            }
        }
    }

    /// Says so where the pool is at its end.
    mutating func finishIfEmpty(into actions: inout PoolActions) {
        guard connections.count == 0 else { return }
        switch lifecycle {
        case .open, .closed: return
        case .draining, .closing: break
        }
        lifecycle = .closed
        actions.append(.finish)
    }

    /// What there is now; O(slots).
    var snapshot: PoolSnapshot {
        var snapshot = PoolSnapshot()
        snapshot.connections = connections.count
        snapshot.idle = connections.idle.count
        snapshot.probing = probing
        snapshot.leases = leases
        snapshot.waiters = waiters.count
        snapshot.connectionsMax = configuration.connectionsMax
        snapshot.dialFailures = gate.failures
        snapshot.breaker = gate.breaker?.state
        for slot in connections.slots {
            switch connections[slot].phase {
            case .dialling, .abandoned: snapshot.dialling += 1
            case .closing: snapshot.closing += 1
            case .ready where connections[slot].leased > 0: snapshot.leased += 1
            case .ready, .unused, .probing: break
            }
        }
        snapshot.state =
            switch lifecycle {
            case .open: .open
            case .draining: .draining
            case .closing, .closed: .closed
            }
        return snapshot
    }
}
