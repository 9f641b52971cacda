internal import NetPoll
internal import Synchronization

/// The clock and the timers of an event loop, a simulated one too.
final class LoopPoolClock: PoolClock {
    private struct State {
        /// The earliest moment asked for.
        var moment = Instant.never
        var target: (any PoolWakeTarget)?
        var timer: TimerID?
    }

    private let loop: EventLoop
    private let state = Mutex(State())

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    var isSystems: Bool { false }

    var now: Instant { loop.clockNow }

    func wake(_ target: any PoolWakeTarget, at moment: Instant) {
        let isEarlier = state.withLock { state in
            guard moment < state.moment else { return false }
            state.moment = moment
            state.target = target
            return true
        }
        guard isEarlier else { return }
        if loop.isCurrent {
            arm()
        } else if !loop.execute({ self.arm() }) {
            // The loop was shut down: who waits would wait for ever.
            target.clockEnded()
        }
    }

    func stop() {
        state.withLock { state in
            state.moment = .never
            state.target = nil
        }
        loop.execute { self.disarm() }
    }

    private func arm() {
        // A loop that was shut down still runs late jobs, but no timers.
        if loop.isStopped {
            takeTarget()?.clockEnded()
            return
        }
        disarm()
        let moment = state.withLock { $0.target == nil ? Instant.never : $0.moment }
        guard moment != .never else { return }
        // The loop's own present may be a turn old.
        let timer = loop.schedule(after: max(.zero, moment - loop.now), self)
        state.withLock { $0.timer = timer }
    }

    private func disarm() {
        let timer = state.withLock { state in
            defer { state.timer = nil }
            return state.timer
        }
        if let timer { loop.cancel(timer) }
    }
}

extension LoopPoolClock: AwaitedTimerTarget {
    func timerFired(_ id: TimerID, on loop: EventLoop) { takeTarget()?.woken() }

    func timerDropped() { takeTarget()?.clockEnded() }

    /// Who is to be woken; kept no longer, as it may ask once more after ``stop()``.
    private func takeTarget() -> (any PoolWakeTarget)? {
        state.withLock { state in
            state.timer = nil
            state.moment = .never
            return state.target.take()
        }
    }
}
