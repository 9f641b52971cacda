import NetPollTesting
import Testing

@testable import RPC

@Suite("RetryCore and RetryBudget")
struct RetryTests {
    private let policy = RetryPolicy()

    private func error(
        _ code: StatusCode, _ execution: RPCError.Execution
    ) -> RPCError {
        RPCError(code, "", execution: execution)
    }

    @Test func `what was not run is repeated, whatever its method`() {
        let core = RetryCore()
        #expect(core.mayRepeat(error(.unavailable, .notRun), [], policy))
        // These are no better the next time.
        for code in [StatusCode.resourceExhausted, .cancelled, .deadlineExceeded, .internal] {
            #expect(!core.mayRepeat(error(code, .notRun), .idempotent, policy))
        }
    }

    @Test(arguments: [RPCError.Execution.unknown, .answered])
    func `what may have run is repeated where its method is idempotent`(
        execution: RPCError.Execution
    ) {
        let core = RetryCore()
        #expect(!core.mayRepeat(error(.unavailable, execution), [], policy))
        #expect(core.mayRepeat(error(.unavailable, execution), .idempotent, policy))
        #expect(!core.mayRepeat(error(.notFound, execution), .idempotent, policy))
    }

    @Test func `there are as many attempts as the policy says`() {
        var core = RetryCore()
        var random = SeededGenerator(seed: 1)
        var attempts = 1
        while core.mayRepeat(error(.unavailable, .unknown), .idempotent, policy) {
            _ = core.failed(
                error(.unavailable, .unknown), policy, left: .max, using: &random)
            attempts += 1
        }
        #expect(attempts == 3)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `waits double up to the cap, with full jitter`(seed: UInt64) {
        var policy = RetryPolicy()
        policy.attemptsMax = 20
        var core = RetryCore()
        var random = SeededGenerator(seed: seed)
        for attempt in 0..<15 {
            let decision = core.failed(
                error(.unavailable, .unknown), policy, left: .max, using: &random)
            guard case .again(let wait) = decision else {
                Issue.record("gave up, seed \(seed)")
                return
            }
            let bound = min(1_000_000_000, Int64(20_000_000) << attempt)
            #expect((0...bound).contains(wait), "seed \(seed)")
        }
    }

    @Test func `the first repetition of what was not run does not wait`() {
        var core = RetryCore()
        var random = SeededGenerator(seed: 2)
        let first = core.failed(error(.unavailable, .notRun), policy, left: 1, using: &random)
        #expect(first == .again(after: 0))
    }

    @Test func `no attempt begins after the deadline`() {
        var core = RetryCore()
        var random = SeededGenerator(seed: 3)
        let failure = error(.unavailable, .notRun)
        let late = core.failed(failure, policy, left: 0, using: &random)
        #expect(late == .giveUp)
        // Only a wait of nothing would be short enough.
        let soon = core.failed(failure, policy, left: 1, using: &random)
        #expect(soon == .giveUp)
    }

    @Test func `half a budget of failures ends repetitions, and successes bring them back`() {
        var configuration = RetryBudget.Configuration()
        configuration.tokensMax = 10
        var budget = RetryBudget(configuration)
        let allowed = (0..<20).count { _ in budget.failed() }
        #expect(allowed == 4)
        #expect(budget.share == 0)
        for _ in 0..<60 { budget.succeeded() }
        let early = budget.failed()
        #expect(!early)
        for _ in 0..<20 { budget.succeeded() }
        let again = budget.failed()
        #expect(again)
        for _ in 0..<1_000 { budget.succeeded() }
        #expect(budget.isFull)
    }
}

@Suite("HedgingCore")
struct HedgingCoreTests {
    private let policy: HedgingPolicy = {
        var policy = HedgingPolicy()
        policy.attemptsMax = 3
        return policy
    }()

    @Test func `attempts begin one delay after another, as many as the policy says`() {
        var core = HedgingCore()
        let events = (0..<3).map { _ in core.timePassed(policy, budgetAllows: true) }
        #expect(events == [.begin, .begin, .wait])
        #expect(core.begun == 3)
    }

    @Test func `a failure that may pass begins the next at once, and another ends the call`() {
        var core = HedgingCore()
        let events = [StatusCode.unavailable, .notFound].map {
            core.failed($0, policy, budgetAllows: true)
        }
        #expect(events == [.begin, .giveUp])
    }

    @Test func `the last failure of all ends the call`() {
        var core = HedgingCore()
        for _ in 0..<2 { _ = core.timePassed(policy, budgetAllows: true) }
        let events = (0..<3).map { _ in core.failed(.unavailable, policy, budgetAllows: true) }
        #expect(events == [.wait, .wait, .giveUp])
    }

    @Test func `without a budget nothing is begun`() {
        var core = HedgingCore()
        let later = core.timePassed(policy, budgetAllows: false)
        let failed = core.failed(.unavailable, policy, budgetAllows: false)
        #expect(later == .wait && failed == .giveUp)
    }
}
