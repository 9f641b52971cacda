import NetPoll
import Synchronization

/// What a client's calls came to, and whether more may be attempted: the budget of repetitions and the
/// breaker.
final class EffortLedger: Sendable {
    struct Counts: Sendable {
        var retries = 0
        var hedges = 0
        var budget = 1.0
        var isBroken = false
    }

    private struct State {
        var budget: RetryBudget
        var retries = 0
        var hedges = 0
    }

    private let state: Mutex<State>
    /// Read without the lock, so that a success costs nothing where all is well.
    private let isFull = Atomic<Bool>(true)
    /// Whether there is a breaker to be asked.
    let hasBreaker: Bool
    private let breaker: Mutex<ErrorRateBreaker?>
    private let failures: Set<StatusCode>

    init(_ configuration: RPCClientConfiguration) {
        state = Mutex(
            State(budget: RetryBudget((configuration.retry ?? RetryPolicy()).budget)))
        hasBreaker = configuration.breaker != nil
        breaker = Mutex(configuration.breaker.map { ErrorRateBreaker($0) })
        failures = configuration.failures
    }

    /// What a failure says of its endpoint.
    func outcome(of error: RPCError) -> CallOutcome {
        guard error.execution != .notRun, failures.contains(error.code) else {
            return error.execution == .answered ? .success : .neutral
        }
        return .failure
    }

    // MARK: - Budget

    @inline(__always)
    func succeeded() {
        guard !isFull.load(ordering: .relaxed) else { return }
        state.withLock { state in
            state.budget.succeeded()
            if state.budget.isFull { isFull.store(true, ordering: .relaxed) }
        }
    }

    /// An attempt failed in a way after which another one is wanted.
    ///
    /// - Returns: Whether the budget allows it.
    func mayRepeat() -> Bool {
        state.withLock { failed(&$0) }
    }

    /// Another attempt is made.
    func repeated() { state.withLock { $0.retries += 1 } }

    /// A hedge is wanted; it takes a token as a failure does.
    func mayHedge() -> Bool {
        state.withLock { state in
            let mayHedge = failed(&state)
            if mayHedge { state.hedges += 1 }
            return mayHedge
        }
    }

    /// Under the lock, so that a success at the same time does not say that the budget is full still.
    private func failed(_ state: inout State) -> Bool {
        isFull.store(false, ordering: .relaxed)
        return state.budget.failed()
    }

    // MARK: - Breaker

    /// A call begins.
    ///
    /// - Throws: Where the breaker keeps it back.
    func begin(at now: Instant) throws(RPCError) -> ErrorRateBreaker.Permit? {
        guard hasBreaker else { return nil }
        guard let permit = breaker.withLock({ $0?.begin(at: now.nanoseconds) }) else {
            throw RPCError(
                .unavailable, "too many calls failed; none is made for a while",
                execution: .notRun)
        }
        return permit
    }

    func ended(_ permit: ErrorRateBreaker.Permit?, _ outcome: CallOutcome, at now: Instant) {
        guard let permit else { return }
        let succeeded: Bool? =
            switch outcome {
            case .success: true
            case .failure: false
            case .neutral: nil
            }
        breaker.withLock { $0?.ended(permit, succeeded: succeeded, at: now.nanoseconds) }
    }

    var counts: Counts {
        let isBroken = breaker.withLock { ($0?.state ?? .closed) != .closed }
        return state.withLock { state in
            Counts(
                retries: state.retries, hedges: state.hedges, budget: state.budget.share,
                isBroken: isBroken)
        }
    }
}
