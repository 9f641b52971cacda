// Timers: armed, moved and cancelled in O(1), fired once a turn.
extension EventLoop {
    /// Arms a timer that fires once, no earlier than `delay` from ``now``; O(1).
    @discardableResult
    public func schedule(after delay: Duration, _ target: any TimerTarget) -> TimerID {
        checkCurrent()
        return wheel.arm(at: now + delay, target)
    }

    /// Arms a timer that fires after `delay` and then every `interval`, until it is cancelled; O(1).
    ///
    /// Beats are counted from the first deadline, not from when they were told: they do not drift.
    /// Beats that are missed, because a turn lasted long, are told once. The identifier stays the
    /// same; ``reschedule(_:after:)`` moves the next beat, and those after it count from there.
    ///
    /// - Parameters:
    ///   - interval: From 1 millisecond to 49 days, in whole milliseconds, rounded up.
    ///   - delay: Until the first beat; by default one interval.
    ///   - target: Is called at every beat.
    /// - Returns: What the timer is cancelled and moved by.
    @discardableResult
    public func schedule(
        every interval: Duration, after delay: Duration? = nil, _ target: any TimerTarget
    ) -> TimerID {
        checkCurrent()
        let nanoseconds = interval.inNanoseconds
        precondition(nanoseconds > 0, "a timer that repeats every \(interval)")
        let milliseconds = UInt64(nanoseconds - 1) / 1_000_000 + 1
        precondition(
            milliseconds <= UInt64(UInt32.max),
            "a timer that repeats every \(milliseconds) ms exceeds \(UInt32.max) ms")
        return wheel.arm(at: now + (delay ?? interval), every: UInt32(milliseconds), target)
    }

    func schedule(at deadline: Instant, _ target: any TimerTarget) -> TimerID {
        checkCurrent()
        return wheel.arm(at: deadline, target)
    }

    /// Moves an armed timer to `delay` from ``now``; `false` where it fired or was cancelled. O(1).
    @discardableResult
    public func reschedule(_ id: TimerID, after delay: Duration) -> Bool {
        checkCurrent()
        return wheel.rearm(id, at: now + delay)
    }

    /// Cancels an armed timer; `false` where it fired or was cancelled before. O(1).
    @discardableResult
    public func cancel(_ id: TimerID) -> Bool {
        checkCurrent()
        // Released here, when the wheel is in order again: its end may cancel other timers.
        let target = wheel.cancel(id)
        return target != nil
    }

    /// How many timers are armed.
    public var timers: Int {
        checkCurrent()
        return wheel.count
    }

    func fireTimers() {
        var left = configuration.timersPerTurnMax
        while let (id, target) = wheel.popExpired(now: now, budget: &left) {
            counters.timersFired += 1
            target.timerFired(id, on: self)
        }
    }

    /// Lets go of all timers, none of which will fire; those that others wait for are told.
    func dropTimers() {
        guard wheel.count > 0 else { return }
        let targets = wheel.removeAll()
        for target in targets { (target as? any AwaitedTimerTarget)?.timerDropped() }
    }
}

/// A timer's target that somebody waits for, who would wait for ever on a loop that was shut down.
package protocol AwaitedTimerTarget: TimerTarget {
    /// The timer will not fire: the loop is shut down.
    func timerDropped()
}
