import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

@Suite("What a pool shows of itself", .timeLimit(.minutes(10)))
struct ObservationTests {
    private final class Heard: Sendable {
        let events = Mutex<[PoolEvent]>([])

        var texts: [String] {
            events.withLock { $0 }.map {
                switch $0 {
                case .dialling: "dialling"
                case .established: "established"
                case .dialFailed(_, let error): "failed: \(error)"
                case .closing(_, let reason): "closing: \(reason)"
                case .breaker: "breaker"
                case .leaseOverdue: "overdue"
                case .draining: "draining"
                case .closed: "closed"
                }
            }
        }
    }

    private func listen(_ world: PoolWorld) -> Heard {
        let heard = Heard()
        let events = world.pool.events
        let loop = world.loop
        Task(executorPreference: loop) {
            for await event in events { heard.events.withLock { $0.append(event) } }
        }
        return heard
    }

    @Test func `events tell a connection's life in order`() throws {
        let world = PoolWorld { $0.idleTimeout = .seconds(10) }
        let heard = listen(world)
        _ = try world.number()
        world.network.run(for: .seconds(11))
        try world.run { pool, _ in await pool.close() }
        world.network.runUntilIdle()
        #expect(
            heard.texts == ["dialling", "established", "closing: idleTimedOut", "closed"])
    }

    @Test func `a failed dial tells its error, and the breaker its state`() throws {
        let world = PoolWorld {
            var breaker = CircuitBreaker.Configuration()
            breaker.failuresMax = 1
            $0.breaker = breaker
        } server: {
            $0.set(\.refuses, true)
        }
        let heard = listen(world)
        world.start { pool, _ in
            try await pool.withConnection(deadline: pool.now + .milliseconds(10)) { _ in }
        }
        world.network.run(for: .milliseconds(20))
        #expect(heard.texts.contains("failed: nobody at home"))
        #expect(heard.texts.contains("breaker"))
        #expect("\(world.pool.snapshot)".contains("breaker open"))
    }

    @Test func `a listener that is slow loses the oldest, and that is counted`() throws {
        let world = PoolWorld { $0.connectionsMax = 1 }
        let unheard = world.pool.events
        try world.run { pool, _ in
            for _ in 0..<500 {
                let lease = try await pool.lease()
                lease.discard()
            }
        }
        #expect(world.pool.counters.eventsDropped >= 1_500 - 1_024)
        withExtendedLifetime(unheard) {}
    }

    @Test func `a lease that is out for too long is reported once, with its place`() throws {
        let world = PoolWorld { $0.leakThreshold = .seconds(60) }
        let heard = listen(world)
        _ = try world.number()
        guard let lease = world.pool.tryLease() else {
            Issue.record("one is idle")
            return
        }
        let line = #line - 4
        world.network.run(for: .seconds(59))
        #expect(!heard.texts.contains("overdue"))
        world.network.run(for: .seconds(100))
        let overdue = heard.events.withLock { events in
            events.compactMap { if case .leaseOverdue(let lease) = $0 { lease } else { nil } }
        }
        try #require(overdue.count == 1)
        #expect(overdue[0].heldFor >= .seconds(60) && overdue[0].heldFor < .seconds(61))
        #expect(overdue[0].site.line == line)
        #expect("\(overdue[0])".contains("ObservationTests.swift:\(line)"))
        lease.release()
    }

    @Test func `counters and durations tell what happened`() throws {
        let world = PoolWorld {
            $0.connectionsMax = 1
        } server: {
            $0.set(\.dialTime, .milliseconds(150))
        }
        try world.run { pool, loop in
            try await pool.withConnection { _ in try await loop.pause(.milliseconds(10)) }
            try await pool.withConnection { _ in try await loop.pause(.milliseconds(30)) }
        }
        let durations = world.pool.durations
        #expect(durations.waits.count == 2 && durations.holds.count == 2)
        #expect(durations.dials.count == 1)
        let wait = try #require(durations.waits.quantile(1))
        #expect(wait >= .milliseconds(150) && wait < .milliseconds(170))
        #expect(durations.waits.quantile(0.5) == .zero)
        #expect(durations.holds.total >= .milliseconds(40))
        let counters = world.pool.counters
        #expect(counters.leased == 2 && counters.leasedAtOnce == 1 && counters.returned == 2)
    }

    @Test func `a histogram's quantiles are within an eighth`() {
        var histogram = DurationHistogram()
        #expect(histogram.quantile(0.5) == nil)
        for microseconds in 1...1_000 as ClosedRange<Int64> {
            histogram.add(nanoseconds: microseconds * 1_000)
        }
        for (quantile, expected) in [(0.5, 500.0), (0.9, 900), (0.99, 990), (1, 1_000)] {
            let found = histogram.quantile(quantile).map { $0 / .microseconds(1) } ?? 0
            #expect(found >= expected * 0.99 && found <= expected * 1.13)
        }
        let earlier = histogram
        histogram.add(nanoseconds: 5)
        #expect(histogram.since(earlier).count == 1)
        #expect(histogram.since(earlier).quantile(1) == .nanoseconds(5))
        histogram.add(nanoseconds: .max)
        histogram.add(nanoseconds: -1)
        #expect(histogram.count == 1_003)
    }
}
