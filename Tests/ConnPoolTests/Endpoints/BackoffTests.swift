import ConnPool
import NetPollTesting
import Testing

/// Answers with the least or the greatest number of any range.
private struct Extreme: RandomNumberGenerator {
    let bits: UInt64

    mutating func next() -> UInt64 { bits }
}

@Suite("Backoff")
struct BackoffTests {
    @Test(arguments: [
        (1, 100), (2, 200), (3, 400), (4, 800), (5, 1_600), (6, 3_200), (7, 5_000), (8, 5_000),
        (64, 5_000), (65, 5_000), (1_000, 5_000),
    ])
    func `the bound doubles from the base to the cap`(failures: Int, milliseconds: Int) {
        var backoff = Backoff(base: .milliseconds(100), cap: .seconds(5))
        var random = Extreme(bits: .max)
        var delay = Duration.zero
        for _ in 0..<failures { delay = backoff.failed(using: &random) }
        #expect(backoff.failures == failures)
        #expect(backoff.bound == .milliseconds(milliseconds))
        #expect(delay == backoff.bound, "the greatest number gives the whole bound")
        random = Extreme(bits: 0)
        #expect(backoff.failed(using: &random) == .zero, "the least gives no wait")
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `waits are uniform below the bound`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var quarters = [0, 0, 0, 0]
        for _ in 0..<4_000 {
            var backoff = Backoff(base: .milliseconds(80), cap: .seconds(1))
            let delay = backoff.failed(using: &random)
            #expect(delay >= .zero && delay <= .milliseconds(80), "seed \(seed)")
            quarters[min(3, Int(delay / .milliseconds(20)))] += 1
        }
        // Six standard deviations of a binomial of 4,000 tries at one in four.
        #expect(quarters.allSatisfy { abs($0 - 1_000) < 165 }, "\(quarters), seed \(seed)")
    }

    @Test func `a success starts again at the base`() {
        var backoff = Backoff(base: .milliseconds(1), cap: .seconds(1))
        var random = Extreme(bits: .max)
        for _ in 0..<10 { _ = backoff.failed(using: &random) }
        backoff.reset()
        #expect(backoff.failures == 0 && backoff.bound == .zero)
        #expect(backoff.failed(using: &random) == .milliseconds(1))
    }

    @Test func `a cap of centuries does not overflow`() {
        var backoff = Backoff(base: .seconds(3), cap: .seconds(Int64.max))
        var random = Extreme(bits: .max)
        for _ in 0..<100 { _ = backoff.failed(using: &random) }
        #expect(backoff.bound == .nanoseconds(Int64.max))
    }

    @Test func `a cap below the base traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = Backoff(base: .seconds(2), cap: .seconds(1))
        }
        await #expect(processExitsWith: .failure) { _ = Backoff(base: .zero) }
    }
}
