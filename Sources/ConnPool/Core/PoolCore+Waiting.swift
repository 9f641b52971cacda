internal import NetPoll

// Requests that nobody can serve at once.
extension PoolCore {
    /// Lets a request join the queue, or says why it had better not.
    mutating func join(
        _ now: Instant, _ deadline: Instant, into actions: inout PoolActions
    ) -> OnRequest {
        guard deadline > now else {
            counters.timedOut += 1
            return .refused(.timedOut)
        }
        guard waiters.count < configuration.waitersMax else {
            counters.queueFull += 1
            return .refused(.queueFull)
        }
        if configuration.failsFast {
            let wait = predictedWait(now)
            if now.after(wait) > deadline {
                counters.failedFast += 1
                dialForNobody(now, into: &actions)
                return .refused(.deadlineTooShort(predictedWait: .nanoseconds(wait)))
            }
        }
        let waiter = waiters.join(now: now, deadline: deadline)
        adjustDials(now, into: &actions)
        return .queued(waiter)
    }

    /// What a request that joined now would wait at least, as far as is known; in nanoseconds.
    ///
    /// Cautious: requests that could be served by the next leases to come back, whenever that is,
    /// are said to wait for nothing.
    ///
    /// Inlined: the call would copy the core.
    @inline(__always)
    func predictedWait(_ now: Instant) -> Int64 {
        guard usable == 0 else {
            let units = (usable + connections.dials.count) * configuration.leasesPerConnection
            return Int64(waiters.count / max(1, units)) * holdTime.lowerBoundNanoseconds
        }
        let dial = dialTime.lowerBoundNanoseconds
        if connections.dials.head >= 0 {
            let begun = connections[connections.dials.head].bornAt
            return max(0, begun.after(dial).nanoseconds - now.nanoseconds)
        }
        let opens = gate.opensAt(now)
        // While a breaker's probe is under way nobody knows.
        guard opens > now, opens != .never else { return dial }
        return opens.nanoseconds - now.nanoseconds + dial
    }

    /// A request that did not join for want of a connection still shows that one is needed: without
    /// this, a pool asked by impatient callers only would never have any.
    private mutating func dialForNobody(_ now: Instant, into actions: inout PoolActions) {
        guard usable == 0, connections.dials.count == 0, gate.opensAt(now) <= now,
            connections.count < configuration.connectionsMax
        else { return }
        beginDial(now, into: &actions)
    }

    /// After a failed dial: tells those whose deadlines come before the next one may begin.
    mutating func failHopeless(_ now: Instant, into actions: inout PoolActions) {
        guard configuration.failsFast, usable == 0, connections.dials.count == 0 else { return }
        let wait = predictedWait(now)
        let earliest = now.after(wait)
        var hopeless: [WaiterID] = []
        waiters.forEach { waiter, deadline in
            if deadline < earliest { hopeless.append(waiter) }
        }
        for waiter in hopeless {
            waiters.leave(waiter)
            counters.failedFast += 1
            actions.append(
                .fail(waiter, .deadlineTooShort(predictedWait: .nanoseconds(wait))))
        }
    }

    /// Tells everyone who waits.
    mutating func failAll(_ reason: PoolError.Reason, into actions: inout PoolActions) {
        while let waiter = waiters.first {
            waiters.leave(waiter)
            actions.append(.fail(waiter, reason))
        }
    }
}
