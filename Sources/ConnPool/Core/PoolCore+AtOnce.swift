internal import NetPoll

// The usual cases of lease and return, which are all that a warm pool does: nothing changes but one
// connection, so nothing has to be carried out.
extension PoolCore {
    /// Grants what ``requested(now:deadline:waits:into:)`` would, where that has no other effect;
    /// otherwise nothing changed.
    mutating func requestedAtOnce(
        now: Instant
    ) -> (id: PooledConnectionID, isFresh: Bool)? {
        guard isOpen, waiters.isEmpty, let slot = nextToLease else { return nil }
        if connections.records[Int(slot)].membership == .idle {
            guard !isPast(slot, now), leavesMinimum else { return nil }
        }
        let isFresh = connections.records[Int(slot)].uses == 0
        take(slot)
        counters.leasedAtOnce += 1
        return (connections.id(slot), isFresh)
    }

    /// Does what ``released(_:since:now:into:)`` would, where that has no other effect; otherwise
    /// nothing changed.
    mutating func releasedAtOnce(
        _ id: PooledConnectionID, since: Instant, now: Instant
    ) -> Bool {
        guard isOpen, waiters.isEmpty, hasNoDials,
            connections.records[Int(id.slot)].isKept(id.generation, epoch, now)
        else { return false }
        assert(
            connections[id.slot].leased > 0, "connection \(id) was returned more often than leased")
        counters.returned += 1
        holdTime.add(nanoseconds: now.nanoseconds - since.nanoseconds)
        leases -= 1
        connections.records[Int(id.slot)].leased -= 1
        connections.records[Int(id.slot)].provedAt = now
        place(id.slot, now)
        return true
    }

    /// Whether no dial is under way, wanted or awaited.
    private var hasNoDials: Bool {
        connections.dials.count == 0 && replacing.isEmpty && dialsCheckedAt == .never
    }

    /// Whether an idle connection less is no reason to dial.
    private var leavesMinimum: Bool {
        guard configuration.idleMin > 0 else { return true }
        guard hasNoDials else { return false }
        return connections.count >= configuration.connectionsMax
            || connections.idle.count + probing > configuration.idleMin
    }
}
