import NetPoll
import Testing

@testable import ConnPool

@Suite("PoolCore: when to dial, and when not")
struct DiallingTests {
    @Test func `an empty pool dials for all who wait, up to the bound`() throws {
        var world = CoreWorld { $0.dialsMax = 3 }
        for _ in 0..<10 { _ = try world.wait() }
        #expect(world.takeDials().count == 3)
    }

    @Test func `connections never exceed the maximum`() throws {
        var world = CoreWorld {
            $0.connectionsMax = 2
            $0.dialsMax = 10
        }
        for _ in 0..<10 { _ = try world.wait() }
        let dials = world.takeDials()
        #expect(dials.count == 2)
        for id in dials { world.establish(id) }
        #expect(world.takeDials().isEmpty)
        world.discard(dials[0])
        // Its place is free when it is closed.
        #expect(world.takeDials().isEmpty)
        world.closed(dials[0])
        #expect(world.takeDials().count == 1)
    }

    @Test func `shared connections are dialled for as many as they will serve`() throws {
        var world = CoreWorld {
            $0.leasesPerConnection = 5
            $0.dialsMax = 10
        }
        for _ in 0..<11 { _ = try world.wait() }
        #expect(world.takeDials().count == 3)
    }

    @Test func `while others work, further dials are begun one by one as the wait grows`() throws {
        var world = CoreWorld {
            $0.dialsMax = 3
            $0.dialStagger = .milliseconds(20)
            $0.connectionsMax = 10
        }
        _ = try world.fill(1)
        _ = try world.lease()
        for _ in 0..<5 { _ = try world.wait() }
        #expect(world.takeDials().count == 1)
        world.pass(.milliseconds(20) - .nanoseconds(1))
        #expect(world.takeDials().count == 0)
        world.pass(.nanoseconds(1))
        #expect(world.takeDials().count == 1)
        world.pass(.milliseconds(20))
        #expect(world.takeDials().count == 1)
        world.pass(.milliseconds(200))
        #expect(world.takeDials().count == 0)
    }

    @Test func `dials that nobody needs any more are given up, but for one`() throws {
        var world = CoreWorld { $0.dialsMax = 4 }
        let waiters = [try world.wait(), try world.wait(), try world.wait()]
        let dials = world.takeDials()
        #expect(dials.count == 3)
        for waiter in waiters { world.feed { $0.cancelled(waiter, now: $1, into: &$2) } }
        let cancelled = world.take().compactMap {
            if case .cancelDial(let id) = $0 { id } else { nil }
        }
        // The youngest go.
        #expect(cancelled == [dials[2], dials[1]])
        #expect(world.core.counters.dialsElided == 2)
        world.establish(dials[0])
        #expect(world.core.snapshot.idle == 1)
        // One that could not be stopped in time is closed.
        world.establish(dials[1])
        #expect(world.take() == [.close(dials[1], .surplus)])
        // One that was stopped is no failure of the server's.
        world.fail(dials[2])
        #expect(world.core.counters.dialsFailed == 0)
        #expect(world.core.snapshot.dialFailures == 0)
    }

    @Test func `a dial that was given up and is needed again is used`() throws {
        var world = CoreWorld {
            $0.connectionsMax = 2
            $0.dialsMax = 2
        }
        let waiters = [try world.wait(), try world.wait()]
        let dials = world.takeDials()
        for waiter in waiters { world.feed { $0.cancelled(waiter, now: $1, into: &$2) } }
        _ = world.take()
        let later = try world.wait()
        world.establish(dials[1])
        #expect(world.take() == [.grant(later, dials[1])])
    }

    @Test func `a failed dial is followed by a pause, then by another`() throws {
        var world = CoreWorld {
            $0.backoff = Backoff(base: .seconds(1), cap: .seconds(8))
            $0.breaker = nil
        }
        let waiter = try world.wait(within: .seconds(300))
        for _ in 0..<10 {
            let dials = world.takeDials()
            try #require(dials.count == 1)
            world.fail(dials[0])
            world.pass(.seconds(8))
        }
        #expect(world.core.waiters.contains(waiter))
    }

    @Test func `a dial that takes too long fails, and what it brings later is refused`() throws {
        var world = CoreWorld { $0.dialTimeout = .seconds(3) }
        _ = try world.wait()
        let first = world.takeDials()[0]
        world.pass(.seconds(4))
        let actions = world.take()
        #expect(actions.first == .cancelDial(first))
        #expect(world.core.counters.dialsFailed == 1)
        let isTaken = world.feed { $0.established(first, now: $1, into: &$2) }
        #expect(!isTaken)
    }

    @Test func `an open breaker lets one probe through, and closes with its success`() throws {
        var world = CoreWorld {
            var breaker = CircuitBreaker.Configuration()
            breaker.failuresMax = 3
            breaker.openTime = .seconds(5)
            $0.breaker = breaker
            $0.dialsMax = 3
        }
        for _ in 0..<6 { _ = try world.wait(within: .seconds(60)) }
        for id in world.takeDials() { world.fail(id) }
        guard case .open = world.core.snapshot.breaker else {
            Issue.record("3 failures open the breaker: \(world.core.snapshot)")
            return
        }
        world.pass(.seconds(4))
        #expect(world.takeDials().isEmpty)
        world.pass(.seconds(2))
        let probe = world.takeDials()
        try #require(probe.count == 1)
        world.pass(.seconds(2))
        #expect(world.takeDials().isEmpty)
        world.establish(probe[0])
        #expect(world.core.snapshot.breaker == .closed(failures: 0))
        #expect(world.takeDials().count >= 1)
    }

    @Test func `who cannot be served before a breaker's probe is told at once`() throws {
        var world = CoreWorld {
            var breaker = CircuitBreaker.Configuration()
            breaker.failuresMax = 1
            breaker.openTime = .seconds(5)
            $0.breaker = breaker
        }
        let hasty = try world.wait(within: .seconds(2))
        _ = try world.wait(within: .seconds(20))
        let dials = world.takeDials()
        for id in dials { world.fail(id) }
        let failed = world.take().contains {
            if case .fail(hasty, .deadlineTooShort) = $0 { true } else { false }
        }
        #expect(failed)
        #expect(world.core.waiters.count == 1)
        guard case .refused(.deadlineTooShort) = world.request(within: .seconds(1)) else {
            Issue.record("nothing can be had within a second")
            return
        }
    }

    @Test func `connections of before are replaced as they come back`() throws {
        var world = CoreWorld()
        let ids = try world.fill(3)
        let leased = try world.lease()
        world.feed { $0.outdated(now: $1, into: &$2) }
        let closed = Set(world.take())
        #expect(closed == [.close(ids[0], .outdated), .close(ids[1], .outdated)])
        world.release(leased)
        #expect(world.take() == [.close(leased, .outdated)])
        _ = try world.wait()
        let dials = world.takeDials()
        world.establish(dials[0])
        #expect(world.core.snapshot.leased == 1)
    }

    // MARK: - Ends

    @Test func `draining tells who waits and awaits who has a lease`() throws {
        var world = CoreWorld { $0.connectionsMax = 2 }
        let ids = try world.fill(2)
        let leases = [try world.lease(), try world.lease()]
        let waiter = try world.wait()
        world.feed { $0.drained(now: $1, deadline: $1 + .seconds(10), into: &$2) }
        #expect(world.take() == [.fail(waiter, .draining)])
        #expect(world.request() == .refused(.draining))
        for id in leases { world.release(id) }
        #expect(world.take().count == 2)
        for id in ids { world.closed(id) }
        #expect(world.take() == [.finish])
        #expect(world.request() == .refused(.closed))
    }

    @Test func `at the deadline of a drain leases are closed by force`() throws {
        var world = CoreWorld()
        _ = try world.fill(1)
        let id = try world.lease()
        world.feed { $0.drained(now: $1, deadline: $1 + .seconds(10), into: &$2) }
        world.pass(.seconds(10) - .nanoseconds(1))
        #expect(world.take().isEmpty)
        world.pass(.nanoseconds(1))
        #expect(world.take() == [.close(id, .shutdown)])
        world.closed(id)
        #expect(world.take() == [.finish])
        // The lease comes back to nothing.
        world.release(id)
        #expect(world.take().isEmpty)
        #expect(world.core.leases == 0)
    }

    @Test func `a close that never ends does not keep its place for ever`() throws {
        var world = CoreWorld {
            $0.connectionsMax = 1
            $0.closeTimeout = .seconds(5)
        }
        let id = try world.fill(1)[0]
        _ = try world.lease()
        world.discard(id)
        _ = try world.wait()
        world.pass(.seconds(5) - .nanoseconds(1))
        #expect(world.takeDials().isEmpty)
        world.pass(.nanoseconds(1))
        #expect(world.takeDials().count == 1)
    }

    @Test func `closing an empty pool is over at once`() {
        var world = CoreWorld()
        world.feed { $0.closed(now: $1, into: &$2) }
        #expect(world.take() == [.finish])
    }
}
