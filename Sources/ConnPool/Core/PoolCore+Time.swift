internal import NetPoll

// What happens because time passes.
extension PoolCore {
    /// When ``woken(now:into:)`` is wanted next, perhaps for nothing.
    ///
    /// Inlined: the call would copy the core.
    var nextWake: Instant? {
        @inline(__always)
        get {
            var next = dialsCheckedAt
            if let first = deadlines.first { next = min(next, Instant(nanoseconds: first.moment)) }
            if let first = waiters.nextDeadline { next = min(next, first) }
            if case .draining(let deadline) = lifecycle { next = min(next, deadline) }
            return next == .never ? nil : next
        }
    }

    /// Time has passed.
    mutating func woken(now: Instant, into actions: inout PoolActions) {
        while let waiter = waiters.nextOverdue(now) {
            waiters.leave(waiter)
            counters.timedOut += 1
            actions.append(.fail(waiter, .timedOut))
        }
        while let entry = deadlines.first, entry.moment <= now.nanoseconds {
            deadlines.removeFirst()
            let id = PooledConnectionID(slot: entry.slot, generation: entry.generation)
            guard let slot = connections.slot(of: id),
                connections[slot].armedAt.nanoseconds == entry.moment
            else { continue }
            connections.records[Int(slot)].armedAt = .never
            attend(slot, now, into: &actions)
        }
        if case .draining(let deadline) = lifecycle, deadline <= now {
            closed(now: now, into: &actions)
            return
        }
        adjustDials(now, into: &actions)
    }

    /// Does what is due of one connection, and asks for the next time.
    private mutating func attend(_ slot: Int32, _ now: Instant, into actions: inout PoolActions) {
        let record = connections[slot]
        switch record.phase {
        case .unused: return
        case .dialling where record.due <= now:
            counters.dialsFailed += 1
            actions.append(.cancelDial(connections.id(slot)))
            connections.remove(slot)
            gate.failed(record.permit, now, using: &random)
            failHopeless(now, into: &actions)
            return
        case .abandoned where record.due <= now:
            connections.remove(slot)
            finishIfEmpty(into: &actions)
            return
        case .closing where record.due <= now:
            remove(slot, into: &actions)
            return
        case .probing where record.due <= now:
            probeEnded(slot, .unanswered, now, into: &actions)
            return
        case .ready:
            attendReady(slot, now, into: &actions)
            return
        case .dialling, .abandoned, .closing, .probing: arm(slot, now)
        }
    }

    private mutating func attendReady(
        _ slot: Int32, _ now: Instant, into actions: inout PoolActions
    ) {
        if connections[slot].expiresAt <= now {
            connections.records[Int(slot)].retirement = connections[slot].retirement ?? .expired
            settle(slot, now, into: &actions)
            return
        }
        if connections[slot].replacedAt <= now {
            connections.records[Int(slot)].replacedAt = .never
            replace(slot)
        }
        guard connections[slot].membership == .idle else {
            arm(slot, now)
            return
        }
        if isPast(slot, now) {
            close(slot, .idleTimedOut, now, into: &actions)
        } else if keepAliveAt(slot) <= now {
            probe(slot, now, into: &actions)
        } else {
            arm(slot, now)
        }
    }

    /// Asks for a replacement ahead of a connection's end, unless another stands idle.
    private mutating func replace(_ slot: Int32) {
        let isIdle = connections[slot].membership == .idle
        let others = connections.idle.count - (isIdle ? 1 : 0)
        // An idle connection that nobody used lately is not missed.
        let isWanted = connections[slot].leased > 0 || configuration.idleMin > others
        guard isWanted, others <= configuration.idleMin, isOpen else { return }
        connections.records[Int(slot)].isBeingReplaced = true
        replacing.append(connections.id(slot))
    }

    /// Whether a connection may not be leased because of its age or idleness.
    ///
    /// Inlined: the call would copy the core.
    @inline(__always)
    func isPast(_ slot: Int32, _ now: Instant) -> Bool {
        connections[slot].expiresAt <= now || idleEnd(slot) <= now
    }

    /// Why a connection that ``isPast(_:_:)`` is closed.
    func idleReason(_ slot: Int32, _ now: Instant) -> PoolCloseReason {
        connections[slot].expiresAt <= now ? .expired : .idleTimedOut
    }

    @inline(__always)
    private func idleEnd(_ slot: Int32) -> Instant {
        guard times.idleTimeout != CoreTimes.unset,
            connections.idle.count > configuration.idleMin
        else { return .never }
        return connections[slot].idleSince.after(times.idleTimeout)
    }

    private func keepAliveAt(_ slot: Int32) -> Instant {
        connections[slot].provedAt.after(connections[slot].keepAliveInterval)
    }

    /// Sees to it that ``woken(now:into:)`` looks at a connection when something of it is due.
    ///
    /// Connections that are leased and returned are not armed anew each time: what is due can only
    /// move away by that, and an entry that comes too early asks for the next.
    mutating func arm(_ slot: Int32, _ now: Instant) {
        let due = connections.records[Int(slot)].dueAt(times, now)
        guard due < connections[slot].armedAt else { return }
        connections.records[Int(slot)].armedAt = due
        if deadlines.count > 64, deadlines.count > 4 * connections.count {
            deadlines.sweep { [connections] entry in
                let id = PooledConnectionID(slot: entry.slot, generation: entry.generation)
                return connections.slot(of: id) == nil
                    || connections[entry.slot].armedAt.nanoseconds != entry.moment
            }
        }
        let id = connections.id(slot)
        deadlines.push(
            .init(moment: due.nanoseconds, slot: id.slot, generation: id.generation))
    }
}
