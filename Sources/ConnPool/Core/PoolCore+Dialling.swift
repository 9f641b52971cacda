internal import NetPoll

// When to connect, and when not to any more.
extension PoolCore {
    /// Begins the dials that are needed and may begin, and gives up those that are not needed.
    mutating func adjustDials(_ now: Instant, into actions: inout PoolActions) {
        let underWay = connections.dials.count
        // The usual case of a pool that is warm.
        if underWay == 0, waiters.isEmpty, configuration.idleMin == 0, replacing.isEmpty {
            dialsCheckedAt = .never
            return
        }
        guard isOpen else { return }
        let needed = dialsNeeded
        if needed > underWay {
            beginDials(needed, now, into: &actions)
        } else {
            dialsCheckedAt = .never
            elideDials(needed, now, into: &actions)
        }
    }

    /// How many connections more would serve who waits, and keep as many idle as configured.
    ///
    /// Inlined: the call would copy the core.
    var dialsNeeded: Int {
        @inline(__always)
        get {
            let units = configuration.leasesPerConnection
            let forWaiters = (waiters.count + units - 1) / units
            let idle = connections.idle.count + probing
            return forWaiters + max(0, configuration.idleMin - idle) + replacing.count
        }
    }

    private mutating func beginDials(
        _ needed: Int, _ now: Instant, into actions: inout PoolActions
    ) {
        dialsCheckedAt = .never
        while connections.dials.count < needed, connections.count < configuration.connectionsMax {
            let opens = gate.opensAt(now)
            guard opens <= now else {
                dialsCheckedAt = opens
                return
            }
            let next = nextDialStart(now)
            guard next <= now else {
                dialsCheckedAt = next
                return
            }
            beginDial(now, into: &actions)
        }
    }

    /// When one dial more than now may begin.
    private func nextDialStart(_ now: Instant) -> Instant {
        let underWay = connections.dials.count
        if underWay == 0 { return now }
        guard underWay < configuration.dialsMax, let since = waiters.firstJoinedAt else {
            return .never
        }
        // Nothing works yet: who waits can be served by dials only.
        if usable == 0 { return now }
        let (wait, overflow) = times.dialStagger.multipliedReportingOverflow(by: Int64(underWay))
        return overflow ? .never : since.after(wait)
    }

    mutating func beginDial(_ now: Instant, into actions: inout PoolActions) {
        let permit = gate.began(now)
        let slot = connections.add()
        connections.records[Int(slot)].phase = .dialling
        connections.records[Int(slot)].permit = permit
        connections.records[Int(slot)].bornAt = now
        connections.records[Int(slot)].epoch = epoch
        connections.records[Int(slot)].capacity = Int32(configuration.leasesPerConnection)
        connections.records[Int(slot)].due = now.after(times.dialTimeout)
        connections.append(slot, to: .dials)
        counters.dials += 1
        arm(slot, now)
        actions.append(.dial(connections.id(slot)))
    }

    /// Gives up the youngest dials beyond those needed. One goes on: most of its cost is spent, and
    /// what caused it may come again.
    private mutating func elideDials(
        _ needed: Int, _ now: Instant, into actions: inout PoolActions
    ) {
        while connections.dials.count > max(needed, 1) {
            let slot = connections.dials.tail
            connections.unlink(slot)
            abandon(slot, now, into: &actions)
            counters.dialsElided += 1
        }
    }

    /// Tells a dial to stop; its place stays taken until it ends, at most until its deadline.
    mutating func abandon(_ slot: Int32, _ now: Instant, into actions: inout PoolActions) {
        connections.unlink(slot)
        connections.records[Int(slot)].phase = .abandoned
        gate.abandoned(connections[slot].permit, now)
        connections.records[Int(slot)].permit = nil
        actions.append(.cancelDial(connections.id(slot)))
    }

    // MARK: - Outcomes

    /// A dial brought a connection.
    ///
    /// - Returns: Whether the pool takes it; otherwise it is to be closed.
    mutating func established(
        _ id: PooledConnectionID, capacity: Int? = nil, now: Instant,
        into actions: inout PoolActions
    ) -> Bool {
        guard let slot = connections.slot(of: id) else { return false }
        let phase = connections[slot].phase
        precondition(
            phase == .dialling || phase == .abandoned, "connection \(id) established while \(phase)"
        )
        gate.succeeded(connections[slot].permit)
        counters.dialsSucceeded += 1
        dialTime.add(nanoseconds: now.nanoseconds - connections[slot].bornAt.nanoseconds)
        connections.unlink(slot)
        connections.records[Int(slot)].phase = .ready
        connections.records[Int(slot)].permit = nil
        usable += 1
        if let capacity { connections.records[Int(slot)].capacity = Int32(clamping: capacity) }
        noteIfUseless(slot, now)
        begin(slot, now)
        // A dial that was given up came too soon to be stopped: taken where somebody needs it.
        if phase == .abandoned, dialsNeeded == 0 {
            connections.records[Int(slot)].retirement = .surplus
        }
        settle(slot, now, into: &actions)
        if waiters.isEmpty { retireReplaced(now, into: &actions) }
        adjustDials(now, into: &actions)
        return true
    }

    /// A dial ended without a connection. Without effect where it took too long before.
    mutating func dialFailed(
        _ id: PooledConnectionID, now: Instant, into actions: inout PoolActions
    ) {
        guard let slot = connections.slot(of: id) else { return }
        let phase = connections[slot].phase
        precondition(
            phase == .dialling || phase == .abandoned, "dial of \(id) failed while \(phase)")
        let permit = connections[slot].permit
        connections.remove(slot)
        if phase == .dialling {
            counters.dialsFailed += 1
            gate.failed(permit, now, using: &random)
            failHopeless(now, into: &actions)
        }
        finishIfEmpty(into: &actions)
        adjustDials(now, into: &actions)
    }

    /// Sets the times of a connection that begins its life.
    private mutating func begin(_ slot: Int32, _ now: Instant) {
        connections.records[Int(slot)].bornAt = now
        connections.records[Int(slot)].idleSince = now
        connections.records[Int(slot)].provedAt = now
        connections.records[Int(slot)].due = .never
        if times.lifetimeMax != CoreTimes.unset {
            let kept = 1 - configuration.lifetimeJitter * nextPart()
            let lifetime = Self.part(kept, of: times.lifetimeMax)
            connections.records[Int(slot)].expiresAt = now.after(lifetime)
            connections.records[Int(slot)].replacedAt = now.after(
                max(0, lifetime - times.replacementLead))
        }
        if runsKeepAlives, times.keepAliveInterval != CoreTimes.unset {
            let factor = 0.9 + 0.2 * nextPart()
            connections.records[Int(slot)].keepAliveInterval = Self.part(
                factor, of: times.keepAliveInterval)
        }
    }

    /// Saturates where a part of more than 1 is longer than any clock runs.
    private static func part(_ factor: Double, of nanoseconds: Int64) -> Int64 {
        let product = Double(nanoseconds) * factor
        return product < 0x1p63 ? Int64(product) : CoreTimes.unset
    }

    /// A number of the core's own, seeded generator, from 0 up to 1.
    private mutating func nextPart() -> Double {
        Double(random.next() >> 11) * 0x1p-53
    }

    /// The connection that has been waiting for a replacement for longest is replaced.
    private mutating func retireReplaced(_ now: Instant, into actions: inout PoolActions) {
        while !replacing.isEmpty {
            let id = replacing.removeFirst()
            guard let slot = connections.slot(of: id) else { continue }
            connections.records[Int(slot)].retire(.expired)
            if connections[slot].phase == .ready { settle(slot, now, into: &actions) }
            return
        }
    }
}
