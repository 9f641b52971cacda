/// A task that waits for a moment on a loop's clock.
///
/// `@unchecked Sendable`: all but the loop is touched on that loop only, where whoever waits or
/// cancels goes first.
final class Sleeper: AwaitedTimerTarget, @unchecked Sendable {
    /// Why a sleep is over.
    enum Waking {
        case due
        case cancelled
        case loopEnded
    }

    typealias Waiter = UnsafeContinuation<Void, any Error>

    private enum State {
        case awake
        case asleep(Waiter, TimerID)
        case over
    }

    private let loop: EventLoop
    private var state = State.awake

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    /// Waits until `deadline`, on the caller's actor; goes to the loop only where it is not there.
    func sleep(until deadline: Instant, isolation: isolated (any Actor)?) async throws {
        try await withTaskCancellationHandler(
            operation: {
                try await withUnsafeThrowingContinuation(isolation: isolation) { waiter in
                    if loop.isCurrent {
                        begin(waiter, deadline)
                    } else if !loop.execute({ self.begin(waiter, deadline) }) {
                        waiter.resume(throwing: CancellationError())
                    }
                }
            },
            onCancel: {
                if loop.isCurrent {
                    wake(.cancelled)
                } else {
                    loop.execute { self.wake(.cancelled) }
                }
            },
            isolation: isolation)
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) { wake(.due) }

    func timerDropped() { wake(.loopEnded) }

    /// Ends the sleep, or keeps it from beginning; does nothing where it is over.
    func wake(_ reason: Waking) {
        let before = state
        state = .over
        guard case .asleep(let waiter, let timer) = before else { return }
        switch reason {
        case .due: waiter.resume()
        case .cancelled:
            loop.cancel(timer)
            waiter.resume(throwing: CancellationError())
        case .loopEnded: waiter.resume(throwing: CancellationError())
        }
    }

    private func begin(_ waiter: Waiter, _ deadline: Instant) {
        guard case .awake = state, !loop.isStopped else {
            waiter.resume(throwing: CancellationError())
            return
        }
        guard deadline > loop.now else {
            state = .over
            waiter.resume()
            return
        }
        state = .asleep(waiter, loop.schedule(at: deadline, self))
    }
}
