import NetPoll
import Synchronization

/// Carries out a server's ``RPCAdmission``, for all of its loops.
final class AdmissionGate: Sendable {
    private struct State {
        var bucket: TokenBucket?
        var limiter: ConcurrencyLimiter?
        var refusedByRate = 0
        var refusedByConcurrency = 0
    }

    /// Whether there is anything to ask.
    let isLimiting: Bool
    private let state: Mutex<State>
    private let shedCount = Atomic<Int>(0)

    init(_ admission: RPCAdmission) {
        isLimiting = admission.rateLimit != nil || admission.concurrency != nil
        state = Mutex(
            State(
                bucket: admission.rateLimit.map { TokenBucket($0) },
                limiter: admission.concurrency.map { ConcurrencyLimiter($0) }))
    }

    /// A call is to be run; why it is not, or `nil`.
    ///
    /// - Parameters:
    ///   - isCounted: Whether it takes part in the concurrency limit; then it has to leave.
    ///   - now: Nanoseconds.
    /// - Returns: The refusal.
    func enter(isCounted: Bool, at now: Int64) -> RPCError? {
        let refusal = state.withLock { state -> String? in
            // The limit first: a call that it refuses takes no token.
            if isCounted, state.limiter?.enter() == false {
                state.refusedByConcurrency += 1
                return "the server has as many calls in flight as it can serve"
            }
            if state.bucket?.take(at: now) == false {
                state.refusedByRate += 1
                if isCounted { state.limiter?.cancelEntry() }
                return "more calls a second than the server takes"
            }
            return nil
        }
        return refusal.map { RPCError(.resourceExhausted, $0, execution: .notRun) }
    }

    /// A handler is done, or was not begun; on its loop.
    @inline(__always)
    func leave(_ call: ServedCall, at loop: EventLoop) {
        if call.wasShed { shed(1) }
        guard isLimiting, let started = call.admittedAt else { return }
        call.admittedAt = nil
        let now = loop.now.nanoseconds
        let wasDropped = call.isCancelled
        state.withLock { $0.limiter?.leave(started: started, wasDropped: wasDropped, at: now) }
    }

    /// So many calls were not run, as nobody waited for them any more.
    func shed(_ calls: Int) { shedCount.add(calls, ordering: .relaxed) }

    var snapshot: RPCAdmissionSnapshot {
        state.withLock { state in
            RPCAdmissionSnapshot(
                inFlight: state.limiter?.inFlight ?? 0, concurrencyLimit: state.limiter?.limit,
                refusedByRate: state.refusedByRate,
                refusedByConcurrency: state.refusedByConcurrency,
                shed: shedCount.load(ordering: .relaxed))
        }
    }
}
