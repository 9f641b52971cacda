import ConnPool
import NetPollTesting
import Testing

@Suite("CircuitBreaker")
struct CircuitBreakerTests {
    typealias State = CircuitBreaker.State

    private static func breaker(
        failuresMax: Int = 3, openTime: Duration = .seconds(1), openTimeMax: Duration = .seconds(8)
    ) -> CircuitBreaker {
        var configuration = CircuitBreaker.Configuration()
        configuration.failuresMax = failuresMax
        configuration.openTime = openTime
        configuration.openTimeMax = openTimeMax
        return CircuitBreaker(configuration: configuration)
    }

    private static func permit(
        _ breaker: inout CircuitBreaker, at now: Duration
    ) -> CircuitBreaker.Permit? {
        guard case .proceed(let permit) = breaker.attempted(at: now) else { return nil }
        return permit
    }

    /// Opens a closed breaker.
    private static func open(_ breaker: inout CircuitBreaker, at now: Duration) throws {
        while case .closed = breaker.state {
            breaker.failed(try #require(permit(&breaker, at: now)), at: now)
        }
    }

    /// What happens to an attempt, one letter each: succeeds, fails, is abandoned.
    @Test(arguments: [
        ("", State.closed(failures: 0)),
        ("f", .closed(failures: 1)),
        ("ff", .closed(failures: 2)),
        ("fff", .open(until: .seconds(11))),
        ("ffsff", .closed(failures: 2)),
        ("fsfsfs", .closed(failures: 0)),
        ("ffaf", .open(until: .seconds(11))),
        ("aaaa", .closed(failures: 0)),
    ])
    func `failures in a row open it, and only they`(outcomes: String, expected: State) throws {
        var breaker = Self.breaker()
        for outcome in outcomes {
            let permit = try #require(Self.permit(&breaker, at: .seconds(10)))
            #expect(!permit.isProbe)
            switch outcome {
            case "s": breaker.succeeded(permit)
            case "f": breaker.failed(permit, at: .seconds(10))
            default: breaker.abandoned(permit, at: .seconds(10))
            }
        }
        #expect(breaker.state == expected)
    }

    @Test func `an open one refuses until its time is over, then lets one probe through`() throws {
        var breaker = Self.breaker()
        try Self.open(&breaker, at: .zero)
        let last = Duration.seconds(1) - .nanoseconds(1)
        #expect(!breaker.admits(at: last))
        #expect(breaker.attempted(at: last) == .refuse(until: .seconds(1)))
        #expect(breaker.admits(at: .seconds(1)))
        let probe = try #require(Self.permit(&breaker, at: .seconds(1)))
        #expect(probe.isProbe)
        #expect(breaker.state == .halfOpen)
        #expect(!breaker.admits(at: .seconds(100)))
        #expect(breaker.attempted(at: .seconds(100)) == .refuse(until: nil))
        breaker.succeeded(probe)
        #expect(breaker.state == .closed(failures: 0))
        #expect(breaker.admits(at: .seconds(100)))
    }

    @Test func `each failed probe doubles the time up to its maximum, a success resets it`() throws
    {
        var breaker = Self.breaker()
        try Self.open(&breaker, at: .zero)
        var now = Duration.seconds(1)
        for seconds in [2, 4, 8, 8, 8] {
            let probe = try #require(Self.permit(&breaker, at: now))
            breaker.failed(probe, at: now)
            #expect(breaker.state == .open(until: now + .seconds(seconds)))
            now += .seconds(seconds)
        }
        breaker.succeeded(try #require(Self.permit(&breaker, at: now)))
        try Self.open(&breaker, at: now)
        #expect(breaker.state == .open(until: now + .seconds(1)))
    }

    @Test func `after an abandoned probe another may follow at once`() throws {
        var breaker = Self.breaker()
        try Self.open(&breaker, at: .zero)
        let probe = try #require(Self.permit(&breaker, at: .seconds(5)))
        breaker.abandoned(probe, at: .seconds(6))
        #expect(breaker.admits(at: .seconds(6)))
        let second = try #require(Self.permit(&breaker, at: .seconds(6)))
        #expect(second.isProbe && second != probe)
        breaker.succeeded(probe)
        #expect(breaker.state == .halfOpen, "the first probe decides nothing any more")
    }

    @Test func `outcomes of attempts from before it opened count for nothing`() throws {
        var breaker = Self.breaker()
        let early = try #require(Self.permit(&breaker, at: .zero))
        try Self.open(&breaker, at: .zero)
        breaker.succeeded(early)
        #expect(breaker.state == .open(until: .seconds(1)))
        let probe = try #require(Self.permit(&breaker, at: .seconds(1)))
        breaker.failed(early, at: .seconds(1))
        breaker.abandoned(early, at: .seconds(1))
        breaker.succeeded(early)
        #expect(breaker.state == .halfOpen)
        breaker.succeeded(probe)
        breaker.failed(early, at: .seconds(1))
        breaker.failed(probe, at: .seconds(1))
        #expect(breaker.state == .closed(failures: 0))
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `at most one probe is under way, and refusals end`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var breaker = Self.breaker(failuresMax: .random(in: 1...4, using: &random))
        var now = Duration.zero
        var underWay: [CircuitBreaker.Permit] = []
        for _ in 0..<500 {
            now += .milliseconds(Int.random(in: 0...700, using: &random))
            if Bool.random(using: &random) {
                let isAdmitted = breaker.admits(at: now)
                let permit = Self.permit(&breaker, at: now)
                #expect(isAdmitted == (permit != nil), "seed \(seed)")
                if let permit { underWay.append(permit) }
            } else if let index = underWay.indices.randomElement(using: &random) {
                let permit = underWay.remove(at: index)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: breaker.succeeded(permit)
                case 1: breaker.abandoned(permit, at: now)
                default: breaker.failed(permit, at: now)
                }
            }
            let probes = underWay.filter(\.isProbe).count
            #expect(probes <= 1, "seed \(seed)")
            #expect((probes == 1) == (breaker.state == .halfOpen), "seed \(seed)")
            if case .open(let end) = breaker.state { #expect(end <= now + .seconds(8)) }
        }
    }

    @Test func `limits that make no sense trap`() async {
        await #expect(processExitsWith: .failure) { _ = Self.breaker(failuresMax: 0) }
        await #expect(processExitsWith: .failure) { _ = Self.breaker(openTime: .zero) }
        await #expect(processExitsWith: .failure) { _ = Self.breaker(openTimeMax: .zero) }
    }
}
