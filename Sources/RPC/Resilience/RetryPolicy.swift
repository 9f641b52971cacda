internal import NetPoll

/// When a client makes another attempt at a call that failed.
///
/// A call that was not run (``RPCError/Execution/notRun``) and failed with ``StatusCode/unavailable``,
/// as where there is no connection or its server goes away, is repeated whatever its method: no handler
/// saw it. With any other code it is not, as another attempt would fare no better: too much was asked for,
/// or wrongly. One that may have run is repeated only where its method is declared
/// ``RPCMethodTraits/idempotent``, and failed with one of ``codes``. No attempt begins after the
/// call's deadline, and all of them together are bounded by it.
public struct RetryPolicy: Hashable, Sendable {
    /// All attempts of one call, the first included. Default 3.
    public var attemptsMax = 3
    /// What of an idempotent method is repeated. Default: ``StatusCode/unavailable``.
    public var codes: Set<StatusCode> = [.unavailable]
    /// The longest wait before the second attempt; doubled with each, and each drawn between nothing
    /// and that (full jitter). Default 20 ms. The first repetition of a call that was not run does
    /// not wait.
    public var backoffBase = Duration.milliseconds(20)
    /// The longest wait. Default 1 s.
    public var backoffCap = Duration.seconds(1)
    /// What keeps repetitions from making an overload worse.
    public var budget = RetryBudget.Configuration()

    public init() {}

    func check() {
        precondition((1...100).contains(attemptsMax), "\(attemptsMax) attempts")
        precondition(
            backoffBase > .zero && backoffCap >= backoffBase,
            "waits of \(backoffBase) to \(backoffCap)")
        budget.check()
    }
}

/// Bounds repetitions by what succeeds: a failure takes a token, a success gives a part of one back,
/// and while half of the tokens or less are left nothing is repeated (gRPC's retry throttling,
/// proposal A6).
public struct RetryBudget: Sendable {
    /// The bounds of a budget.
    public struct Configuration: Hashable, Sendable {
        /// The tokens of a full budget. Default 100.
        public var tokensMax = 100
        /// What part of a token a success gives back. Default 0.1: one call of ten may be repeated.
        public var tokensPerSuccess = 0.1

        public init() {}

        func check() {
            precondition((1...1_000_000).contains(tokensMax), "\(tokensMax) tokens")
            precondition(
                tokensPerSuccess > 0 && tokensPerSuccess <= 1, "\(tokensPerSuccess) of a token")
        }
    }

    /// In thousandths of a token.
    private var tokens: Int
    private let tokensMax: Int
    private let gain: Int

    init(_ configuration: Configuration) {
        configuration.check()
        tokensMax = configuration.tokensMax * 1_000
        tokens = tokensMax
        gain = max(1, Int(configuration.tokensPerSuccess * 1_000))
    }

    var isFull: Bool { tokens == tokensMax }

    /// What is left, from 0 to 1.
    var share: Double { Double(tokens) / Double(tokensMax) }

    mutating func succeeded() { tokens = min(tokensMax, tokens + gain) }

    /// - Returns: Whether another attempt may be made.
    mutating func failed() -> Bool {
        tokens = max(0, tokens - 1_000)
        return tokens * 2 > tokensMax
    }
}

/// Decides about the attempts of one call.
struct RetryCore: Sendable {
    enum OnFailure: Hashable, Sendable {
        /// Another attempt, so much later (nanoseconds).
        case again(after: Int64)
        case giveUp
    }

    private(set) var attempts = 1

    init() {}

    /// Whether an attempt that failed so may be followed by another, but for the budget.
    func mayRepeat(
        _ error: RPCError, _ traits: RPCMethodTraits, _ policy: RetryPolicy
    ) -> Bool {
        guard attempts < policy.attemptsMax else { return false }
        switch error.execution {
        // What the caller asks for too much of, or wrongly, is no better the next time.
        case .notRun: return error.code == .unavailable
        case .unknown, .answered:
            return traits.contains(.idempotent) && policy.codes.contains(error.code)
        }
    }

    /// An attempt failed; to be asked where ``mayRepeat(_:_:_:)`` and the budget said yes.
    ///
    /// - Parameters:
    ///   - error: Its failure.
    ///   - policy: The client's.
    ///   - left: Nanoseconds until the call's deadline.
    ///   - random: For the jitter.
    /// - Returns: When to try again, if the deadline allows.
    mutating func failed(
        _ error: RPCError, _ policy: RetryPolicy, left: Int64,
        using random: inout some RandomNumberGenerator
    ) -> OnFailure {
        attempts += 1
        guard left > 0 else { return .giveUp }
        if attempts == 2, error.execution == .notRun { return .again(after: 0) }
        let (base, cap) = (policy.backoffBase.inNanoseconds, policy.backoffCap.inNanoseconds)
        let doublings = min(attempts - 2, 62)
        let bound = base > cap >> doublings ? cap : base << doublings
        let wait = Int64(random.next().multipliedFullWidth(by: UInt64(bound) + 1).high)
        return wait < left ? .again(after: wait) : .giveUp
    }
}
