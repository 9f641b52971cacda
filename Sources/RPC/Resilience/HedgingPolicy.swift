/// When a client makes another attempt at a unary call while the first one still runs, for methods
/// declared ``RPCMethodTraits/idempotent``: the first good answer counts, and the other attempts are
/// cancelled. Cuts the longest latencies at the price of some calls made twice.
public struct HedgingPolicy: Hashable, Sendable {
    /// All attempts of one call, the first included. Default 2.
    public var attemptsMax = 2
    /// How long to wait for an answer before each further attempt; best a little above the latency
    /// that 95 of 100 calls have. Default 50 ms.
    public var delay = Duration.milliseconds(50)
    /// Failures after which the next attempt begins at once and the others go on; any other failure
    /// ends the call. Default: ``StatusCode/unavailable``.
    public var codes: Set<StatusCode> = [.unavailable]

    public init() {}

    func check() {
        precondition((2...10).contains(attemptsMax), "\(attemptsMax) attempts")
        precondition(delay > .zero, "a delay of \(delay)")
    }
}

/// Decides about the attempts of one hedged call.
///
/// Whether the budget allows one more is asked before ``timePassed(_:budgetAllows:)`` and
/// ``failed(_:_:budgetAllows:)``.
struct HedgingCore: Sendable {
    enum OnEvent: Hashable, Sendable {
        /// Begin one more attempt.
        case begin
        case wait
        /// The call failed.
        case giveUp
    }

    private(set) var begun = 1
    private var running = 1

    /// The delay passed since the last attempt began.
    mutating func timePassed(_ policy: HedgingPolicy, budgetAllows: Bool) -> OnEvent {
        guard begun < policy.attemptsMax, budgetAllows else { return .wait }
        begun += 1
        running += 1
        return .begin
    }

    /// An attempt failed.
    mutating func failed(
        _ code: StatusCode, _ policy: HedgingPolicy, budgetAllows: Bool
    ) -> OnEvent {
        running -= 1
        guard policy.codes.contains(code) else { return .giveUp }
        if begun < policy.attemptsMax, budgetAllows {
            begun += 1
            running += 1
            return .begin
        }
        return running > 0 ? .wait : .giveUp
    }
}
