import NetPoll
import Synchronization

/// A call that waits until the client has fewer in flight.
final class CallSeat: TimerTarget, Sendable {
    enum Outcome: Sendable {
        /// It may go on, and counts as in flight; on this line, or `nil`: on one of the pool.
        case admitted(Line?)
        case timedOut
        case cancelled
        /// The client takes no more calls.
        case closed
    }

    private enum State {
        case waiting(UnsafeContinuation<Outcome, Never>?)
        case settled(Outcome)
    }

    private let state = Mutex(State.waiting(nil))
    private let timer = Mutex<TimerID?>(nil)
    private let loop: EventLoop
    /// Whether any endpoint will do.
    let wantsKept: Bool

    init(_ loop: EventLoop, wantsKept: Bool) {
        self.loop = loop
        self.wantsKept = wantsKept
    }

    /// Ends the waiting.
    ///
    /// - Returns: Whether it had not ended before.
    @discardableResult
    func settle(_ outcome: Outcome) -> Bool {
        let (isFirst, waiter) = state.withLock { state in
            guard case .waiting(let waiter) = state else {
                return (false, nil as UnsafeContinuation<Outcome, Never>?)
            }
            state = .settled(outcome)
            return (true, waiter)
        }
        waiter?.resume(returning: outcome)
        return isFirst
    }

    var isSettled: Bool {
        state.withLock { state in
            if case .settled = state { true } else { false }
        }
    }

    /// Waits for the outcome, until `deadline` and while the task is not cancelled.
    func wait(until deadline: Instant?) async -> Outcome {
        if let deadline {
            let willRun = loop.execute { self.arm(deadline) }
            if !willRun { settle(.closed) }
        }
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: UnsafeContinuation<Outcome, Never>) in
                let settled = state.withLock { state -> Outcome? in
                    if case .settled(let outcome) = state { return outcome }
                    state = .waiting(waiter)
                    return nil
                }
                if let settled { waiter.resume(returning: settled) }
            }
        } onCancel: {
            settle(.cancelled)
        }
        if case .timedOut = outcome { return outcome }
        if deadline != nil { loop.execute { self.disarm() } }
        return outcome
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) { settle(.timedOut) }

    private func arm(_ deadline: Instant) {
        guard !isSettled else { return }
        let id = loop.schedule(after: max(.zero, deadline - loop.now), self)
        timer.withLock { $0 = id }
    }

    private func disarm() {
        if let id = timer.withLock({ $0.take() }) { loop.cancel(id) }
    }
}
