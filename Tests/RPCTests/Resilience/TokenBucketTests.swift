import Testing

@testable import RPC

@Suite("TokenBucket")
struct TokenBucketTests {
    private let second: Int64 = 1_000_000_000

    @Test func `a burst passes at once, and then the rate`() {
        var bucket = TokenBucket(RateLimit(callsPerSecond: 10, burst: 5))
        let atOnce = (0..<10).count { _ in bucket.take(at: second) }
        #expect(atOnce == 5)
        var passed = 0
        for tick in 1...1_000 {
            // Ten tries a hundred times a second, for ten seconds.
            for _ in 0..<10 where bucket.take(at: second + Int64(tick) * second / 100) {
                passed += 1
            }
        }
        #expect(passed == 100)
    }

    @Test func `quiet time gives no more than a burst`() {
        var bucket = TokenBucket(RateLimit(callsPerSecond: 1_000, burst: 3))
        _ = bucket.take(at: 0)
        let passed = (0..<10).count { _ in bucket.take(at: 3_600 * second) }
        #expect(passed == 3)
    }

    @Test func `a rate of nothing traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = TokenBucket(RateLimit(callsPerSecond: 0, burst: 1))
        }
    }

    @Test func `a burst of nothing traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = TokenBucket(RateLimit(callsPerSecond: 10, burst: 0))
        }
    }
}
