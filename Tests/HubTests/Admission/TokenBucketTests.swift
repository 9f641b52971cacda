import NetPoll
import NetPollTesting
import Testing

@testable import Hub

@Suite("TokenBucket")
struct TokenBucketTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    @Test func `a burst is allowed at once, then one per interval`() {
        var bucket = TokenBucket(perSecond: 10, burst: 3)
        for _ in 0..<3 { #expect(bucket.take(at: start) == .allowed) }
        #expect(bucket.take(at: start) == .limited(retryAfter: .milliseconds(100)))
        #expect(bucket.take(at: start + .milliseconds(200)) == .allowed)
        #expect(bucket.take(at: start + .milliseconds(250)) != .allowed)
    }

    @Test func `it never holds more than its burst`() {
        var bucket = TokenBucket(perSecond: 10, burst: 2)
        #expect(bucket.take(at: start) == .allowed)
        let later = start + .seconds(3_600)
        #expect(bucket.take(at: later) == .allowed)
        #expect(bucket.take(at: later) == .allowed)
        #expect(bucket.take(at: later) != .allowed)
    }

    @Test func `a client that does not listen exhausts it`() {
        var bucket = TokenBucket(perSecond: 10, burst: 3)
        for _ in 0..<3 { #expect(bucket.take(at: start) == .allowed) }
        for debt in 1...3 {
            #expect(bucket.take(at: start) == .limited(retryAfter: .milliseconds(100 * debt)))
        }
        #expect(bucket.take(at: start) == .exhausted)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `no window lets more through than its rate and one burst`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var bucket = TokenBucket(perSecond: 20, burst: 5)
        var now = start
        var allowed: [Instant] = []
        for _ in 0..<500 {
            now = now + .milliseconds(Int.random(in: 0...80, using: &random))
            if bucket.take(at: now) == .allowed { allowed.append(now) }
        }
        for (first, begin) in allowed.enumerated() {
            for (count, end) in allowed[first...].enumerated() {
                let most = 5 + Int((end - begin) / .milliseconds(50))
                #expect(count + 1 <= most)
            }
        }
    }
}
