import NetPoll
import NetPollTesting
import Testing

@testable import Hub

@Suite("HandshakeBucket")
struct HandshakeBucketTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func bucket(_ configure: (inout HandshakeRate) -> Void = { _ in }) -> HandshakeBucket {
        var rate = HandshakeRate()
        rate.perSecond = 10
        rate.burst = 6
        rate.reservedForResumes = 2
        configure(&rate)
        return HandshakeBucket(rate)
    }

    @Test func `logins leave a part of the burst to those who resume`() {
        var bucket = bucket()
        for _ in 0..<4 {
            #expect(bucket.take(isResume: false, at: start, chance: 0) == .allowed)
        }
        #expect(bucket.take(isResume: false, at: start, chance: 0) != .allowed)
        for _ in 0..<2 {
            #expect(bucket.take(isResume: true, at: start, chance: 0) == .allowed)
        }
        #expect(bucket.take(isResume: true, at: start, chance: 0) != .allowed)
        // A resume is let in as soon as there is a token, a login when the reserve is full again.
        let later = start + .milliseconds(100)
        #expect(bucket.take(isResume: false, at: later, chance: 0) != .allowed)
        #expect(bucket.take(isResume: true, at: later, chance: 0) == .allowed)
    }

    @Test func `everyone who is sent away is promised a moment of its own`() {
        var bucket = bucket()
        for _ in 0..<4 { _ = bucket.take(isResume: false, at: start, chance: 0) }
        for number in 1...20 {
            #expect(
                bucket.take(isResume: false, at: start, chance: 0)
                    == .refused(retryAfter: .milliseconds(100 * number)))
        }
    }

    @Test(arguments: [0, 0.5, 0.999])
    func `nobody is told to wait longer than the longest time`(chance: Double) {
        var bucket = bucket { $0.retryAfterMax = .seconds(2) }
        for _ in 0..<200 {
            guard case .refused(let delay) = bucket.take(isResume: false, at: start, chance: chance)
            else { continue }
            #expect(delay > .zero)
            #expect(delay <= .seconds(2))
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `a storm is let in at the rate when all do as they are told`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var bucket = bucket {
            $0.perSecond = 100
            $0.burst = 50
            $0.reservedForResumes = 10
        }
        var coming = Array(repeating: start, count: 800)
        var attempts = 0
        var last = start
        while let now = coming.min() {
            let those = coming.count { $0 == now }
            coming.removeAll { $0 == now }
            for _ in 0..<those {
                attempts += 1
                let chance = Double.random(in: 0..<1, using: &random)
                switch bucket.take(isResume: false, at: now, chance: chance) {
                case .allowed: last = now
                case .refused(let delay): coming.append(now + delay)
                }
            }
        }
        // 800 at 100 a second take 8 s; few have to ask more than twice.
        #expect(last - start < .seconds(16), "seed \(seed)")
        #expect(attempts < 3_200, "seed \(seed)")
    }
}
