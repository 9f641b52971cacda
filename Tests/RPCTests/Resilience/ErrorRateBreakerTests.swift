import Testing

@testable import RPC

@Suite("ErrorRateBreaker")
struct ErrorRateBreakerTests {
    private let second: Int64 = 1_000_000_000

    private func call(
        _ breaker: inout ErrorRateBreaker, succeeds: Bool?, at now: Int64
    ) -> Bool {
        guard let permit = breaker.begin(at: now) else { return false }
        breaker.ended(permit, succeeded: succeeds, at: now)
        return true
    }

    /// Makes calls that end at once.
    ///
    /// - Returns: How many were let through.
    @discardableResult
    private func calls(
        _ number: Int, on breaker: inout ErrorRateBreaker, succeed: Bool?, at now: Int64
    ) -> Int {
        var through = 0
        for _ in 0..<number where call(&breaker, succeeds: succeed, at: now) { through += 1 }
        return through
    }

    /// As many permits as there are, of so many asked for.
    private func permits(
        _ number: Int, of breaker: inout ErrorRateBreaker, at now: Int64
    ) -> [ErrorRateBreaker.Permit] {
        var permits: [ErrorRateBreaker.Permit] = []
        for _ in 0..<number {
            if let permit = breaker.begin(at: now) { permits.append(permit) }
        }
        return permits
    }

    @Test func `half of twenty calls failed opens it, and less does not`() {
        var breaker = ErrorRateBreaker(ErrorRateBreaking())
        calls(10, on: &breaker, succeed: true, at: second)
        calls(9, on: &breaker, succeed: false, at: second)
        #expect(breaker.state == .closed)
        calls(1, on: &breaker, succeed: false, at: second)
        #expect(breaker.state == .open(until: 3 * second))
        let early = permits(1, of: &breaker, at: 3 * second - 1)
        #expect(early.isEmpty)
    }

    @Test func `failures of long ago do not count`() {
        var breaker = ErrorRateBreaker(ErrorRateBreaking())
        calls(19, on: &breaker, succeed: false, at: second)
        calls(1, on: &breaker, succeed: false, at: 12 * second)
        #expect(breaker.state == .closed)
    }

    @Test func `what was cancelled says nothing`() {
        var breaker = ErrorRateBreaker(ErrorRateBreaking())
        let through = calls(100, on: &breaker, succeed: nil, at: second)
        #expect(through == 100)
        #expect(breaker.state == .closed)
    }

    @Test func `as many probes as configured close it`() {
        var breaker = opened()
        let probes = permits(5, of: &breaker, at: 10 * second)
        #expect(probes.count == 3)
        for probe in probes.dropLast() { breaker.ended(probe, succeeded: true, at: 10 * second) }
        let more = permits(1, of: &breaker, at: 10 * second)
        #expect(more.isEmpty)
        breaker.ended(probes[2], succeeded: true, at: 10 * second)
        #expect(breaker.state == .closed)
        // The failures of before are forgotten.
        calls(1, on: &breaker, succeed: false, at: 10 * second)
        #expect(breaker.state == .closed)
    }

    @Test func `one probe that fails opens it again, and late outcomes are ignored`() throws {
        var breaker = opened()
        let probes = permits(2, of: &breaker, at: 10 * second)
        try #require(probes.count == 2)
        breaker.ended(probes[0], succeeded: false, at: 10 * second)
        #expect(breaker.state == .open(until: 12 * second))
        breaker.ended(probes[1], succeeded: true, at: 11 * second)
        #expect(breaker.state == .open(until: 12 * second))
    }

    @Test func `a probe that was cancelled gives its place to another`() throws {
        var breaker = opened()
        let probes = permits(3, of: &breaker, at: 10 * second)
        breaker.ended(probes[0], succeeded: nil, at: 10 * second)
        let more = permits(5, of: &breaker, at: 10 * second)
        #expect(more.count == 1)
    }

    @Test func `probes that take their time, as streams do, hold up no others for ever`() throws {
        var breaker = opened()
        let streams = permits(5, of: &breaker, at: 10 * second)
        #expect(streams.count == 3)
        let early = permits(5, of: &breaker, at: 12 * second - 1)
        #expect(early.isEmpty)
        let calls = permits(5, of: &breaker, at: 12 * second)
        try #require(calls.count == 3)
        for call in calls { breaker.ended(call, succeeded: true, at: 12 * second) }
        #expect(breaker.state == .closed)
        breaker.ended(streams[0], succeeded: false, at: 13 * second)
        #expect(breaker.state == .closed)
    }

    @Test func `probes that are cancelled together give way to no more than one set`() {
        var breaker = opened()
        let probes = (0..<4).flatMap { permits(5, of: &breaker, at: (10 + 2 * $0) * second) }
        #expect(probes.count == 12)
        for probe in probes { breaker.ended(probe, succeeded: nil, at: 17 * second) }
        let next = permits(5, of: &breaker, at: 17 * second)
        #expect(next.count == 3)
    }

    @Test func `the longest open time is for ever`() throws {
        var configuration = ErrorRateBreaking()
        configuration.openTime = .seconds(Int64.max)
        var breaker = ErrorRateBreaker(configuration)
        calls(20, on: &breaker, succeed: false, at: second)
        #expect(breaker.state == .open(until: .max))
        let probes = permits(1, of: &breaker, at: .max - 1)
        #expect(probes.isEmpty)
    }

    private func opened() -> ErrorRateBreaker {
        var breaker = ErrorRateBreaker(ErrorRateBreaking())
        calls(20, on: &breaker, succeed: false, at: second)
        return breaker
    }
}
