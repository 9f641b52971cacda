import NetPoll
import Testing

@testable import ConnPool

@Suite("PoolCore: how connections live")
struct LivenessTests {
    @Test func `an idle connection is closed at its timeout, and not before`() throws {
        var world = CoreWorld { $0.idleTimeout = .seconds(10) }
        let id = try world.fill(1)[0]
        world.pass(.seconds(10) - .nanoseconds(1))
        #expect(world.take().isEmpty)
        world.pass(.nanoseconds(1))
        #expect(world.take() == [.close(id, .idleTimedOut)])
        #expect(world.core.snapshot.closing == 1)
        world.closed(id)
        #expect(world.core.snapshot.connections == 0)
    }

    @Test func `each lease starts the idle time anew`() throws {
        var world = CoreWorld { $0.idleTimeout = .seconds(10) }
        let id = try world.fill(1)[0]
        for _ in 0..<5 {
            world.pass(.seconds(9))
            #expect(try world.lease() == id)
            world.release(id)
        }
        #expect(world.take().isEmpty)
        world.pass(.seconds(10))
        #expect(world.take() == [.close(id, .idleTimedOut)])
    }

    @Test func `one whose time is over is not leased, even before the pool was woken`() throws {
        var world = CoreWorld { $0.idleTimeout = .seconds(10) }
        let id = try world.fill(1)[0]
        // The clock jumps.
        world.now = world.now + .seconds(11)
        _ = try world.wait()
        let actions = world.take()
        #expect(actions.first == .close(id, .idleTimedOut))
        #expect(actions.count == 2)
    }

    @Test func `the surplus of a burst ages out, the last used stays`() throws {
        var world = CoreWorld { $0.idleTimeout = .seconds(10) }
        let ids = try world.fill(3)
        for _ in 0..<20 {
            world.pass(.seconds(1))
            let id = try world.lease()
            #expect(id == ids[2])
            world.release(id)
        }
        #expect(world.core.snapshot.idle == 1)
    }

    @Test func `a lifetime ends a connection that is never idle`() throws {
        var world = CoreWorld {
            $0.lifetimeMax = .seconds(60)
            $0.replacementLead = .zero
        }
        let id = try world.fill(1)[0]
        for _ in 0..<59 {
            #expect(try world.lease() == id)
            world.pass(.seconds(1))
            world.release(id)
        }
        _ = try world.lease()
        world.pass(.seconds(2))
        #expect(world.take().isEmpty)
        world.release(id)
        #expect(world.take() == [.close(id, .expired)])
    }

    @Test func `a shared connection takes no more leases when its lifetime is over`() throws {
        var world = CoreWorld {
            $0.lifetimeMax = .seconds(60)
            $0.replacementLead = .zero
            $0.leasesPerConnection = 2
            $0.connectionsMax = 1
        }
        let id = try world.fill(1)[0]
        _ = try world.lease()
        world.pass(.seconds(60))
        #expect(world.request(waits: false) == .empty)
        world.release(id)
        #expect(world.take() == [.close(id, .expired)])
    }

    @Test func `one whose time is over and that then breaks is known to be dead`() throws {
        var world = CoreWorld { $0.connectionsMax = 1 }
        _ = try world.fill(1)
        let id = try world.lease()
        world.feed { $0.outdated(now: $1, into: &$2) }
        world.pass(.seconds(1_800))
        #expect(!world.core.isBroken(id))
        world.feed { $0.broke(id, .closedByPeer, now: $1, into: &$2) }
        #expect(world.core.isBroken(id))
        _ = world.take()
        world.release(id)
        #expect(world.take() == [.close(id, .closedByPeer)])
    }

    @Test func `lifetimes are spread`() throws {
        var world = CoreWorld {
            $0.lifetimeMax = .seconds(1_000)
            $0.lifetimeJitter = 0.1
            $0.idleTimeout = nil
            $0.replacementLead = .zero
        }
        let ids = try world.fill(16)
        world.pass(.seconds(900) - .nanoseconds(1))
        #expect(world.take().isEmpty)
        var moments: Set<Instant> = []
        while moments.count < ids.count, let next = world.core.nextWake {
            world.pass(next - world.now)
            for case .close(_, .expired) in world.take() { moments.insert(world.now) }
        }
        #expect(moments.count == 16)
        #expect(world.now <= Instant(nanoseconds: 1_000_000_000) + .seconds(1_000))
    }

    @Test func `a busy connection's replacement is there before its end`() throws {
        var world = CoreWorld {
            $0.lifetimeMax = .seconds(60)
            $0.replacementLead = .seconds(10)
            $0.connectionsMax = 2
        }
        let old = try world.fill(1)[0]
        _ = try world.lease()
        world.pass(.seconds(50) - .nanoseconds(1))
        #expect(world.take().isEmpty)
        world.pass(.nanoseconds(1))
        let dials = world.takeDials()
        try #require(dials.count == 1)
        world.establish(dials[0])
        // The old one goes as soon as it comes back.
        world.release(old)
        #expect(world.take() == [.close(old, .expired)])
        #expect(try world.lease() == dials[0])
    }

    @Test func `an idle connection that nobody uses is not replaced ahead of its end`() throws {
        var world = CoreWorld {
            $0.lifetimeMax = .seconds(60)
            $0.idleTimeout = nil
        }
        let id = try world.fill(1)[0]
        world.pass(.seconds(60))
        #expect(world.take() == [.close(id, .expired)])
    }

    // MARK: - Keepalive

    private func quiet(
        _ configure: (inout PoolConfiguration) -> Void = { _ in }
    ) -> CoreWorld {
        CoreWorld(runsKeepAlives: true) {
            $0.keepAliveInterval = .seconds(30)
            $0.keepAliveTimeout = .seconds(2)
            $0.idleTimeout = .seconds(100)
            configure(&$0)
        }
    }

    @Test func `a quiet connection is probed, and is nobody's meanwhile`() throws {
        var world = quiet()
        let id = try world.fill(1)[0]
        world.pass(.seconds(27) - .nanoseconds(1))
        #expect(world.take().isEmpty)
        world.pass(.seconds(6))
        #expect(world.take() == [.probe(id)] || world.core.counters.probes == 1)
        #expect(world.request(waits: false) == .empty || world.core.snapshot.probing == 0)
    }

    @Test func `an answer makes it idle again, and its idle time runs on`() throws {
        var world = quiet()
        let id = try world.fill(1)[0]
        var probes = 0
        for _ in 0..<100 {
            world.pass(.seconds(1))
            for action in world.take() {
                switch action {
                case .probe:
                    probes += 1
                    world.feed { $0.probeSucceeded(id, now: $1, into: &$2) }
                case .close(id, .idleTimedOut): break
                default: Issue.record("\(action)")
                }
            }
        }
        #expect((3...4).contains(probes))
        #expect(world.core.snapshot.closing == 1)
    }

    @Test func `a probe has a deadline of its own`() throws {
        var world = quiet()
        let id = try world.fill(1)[0]
        while world.core.snapshot.probing == 0 { world.pass(.seconds(1)) }
        let probed = world.now
        _ = world.take()
        while world.take().isEmpty { world.pass(.milliseconds(100)) }
        #expect(world.now - probed <= .seconds(2))
        #expect(world.core.snapshot.closing == 1)
        world.feed { $0.probeSucceeded(id, now: $1, into: &$2) }
        #expect(world.core.snapshot.closing == 1)
    }

    @Test func `who waits during a probe gets the connection that answered`() throws {
        var world = quiet { $0.connectionsMax = 1 }
        let id = try world.fill(1)[0]
        while world.core.snapshot.probing == 0 { world.pass(.seconds(1)) }
        _ = world.take()
        let waiter = try world.wait()
        world.feed { $0.probeSucceeded(id, now: $1, into: &$2) }
        #expect(world.take() == [.grant(waiter, id)])
    }

    @Test func `a busy connection is not probed`() throws {
        var world = quiet()
        let id = try world.fill(1)[0]
        for _ in 0..<100 {
            _ = try world.lease()
            world.pass(.seconds(1))
            world.release(id)
        }
        #expect(world.core.counters.probes == 0)
    }

    // MARK: - Minimum

    @Test func `the minimum of idle connections is dialled one at a time`() throws {
        var world = CoreWorld { $0.idleMin = 3 }
        world.feed { $0.adjustDials($1, into: &$2) }
        for _ in 0..<3 {
            let dials = world.takeDials()
            try #require(dials.count == 1)
            world.establish(dials[0])
        }
        #expect(world.take().isEmpty)
        #expect(world.core.snapshot.idle == 3)
    }

    @Test func `the minimum does not time out`() throws {
        var world = CoreWorld {
            $0.idleMin = 2
            $0.idleTimeout = .seconds(10)
        }
        _ = try world.fill(4)
        world.pass(.seconds(1_000))
        #expect(world.core.snapshot.idle == 2)
    }

    @Test func `a minimum that cannot be dialled is tried at the backoff's pace`() throws {
        var world = CoreWorld {
            $0.idleMin = 5
            $0.breaker = nil
            $0.backoff = Backoff(base: .milliseconds(100), cap: .seconds(10))
        }
        world.feed { $0.adjustDials($1, into: &$2) }
        var dials = 0
        for _ in 0..<600 {
            for id in world.takeDials() {
                dials += 1
                world.fail(id)
            }
            world.pass(.seconds(1))
        }
        // Every 5 s on average once the cap is reached.
        #expect((60...400).contains(dials))
    }

    @Test func `a server that accepts and closes at once is no reason to spin`() throws {
        var world = CoreWorld {
            $0.idleMin = 1
            $0.breaker = nil
            $0.backoff = Backoff(base: .milliseconds(100), cap: .seconds(10))
        }
        world.feed { $0.adjustDials($1, into: &$2) }
        var dials = 0
        for _ in 0..<6_000 {
            for id in world.takeDials() {
                dials += 1
                world.establish(id)
                world.feed { $0.broke(id, .closedByPeer, now: $1, into: &$2) }
                world.closed(id)
            }
            world.pass(.milliseconds(10))
        }
        #expect(dials < 2_500)
    }

    @Test(arguments: [true, false])
    func `a server that accepts and takes no lease is no reason to spin`(early: Bool) throws {
        var world = CoreWorld {
            $0.idleMin = 1
            $0.breaker = nil
            $0.backoff = Backoff(base: .milliseconds(100), cap: .seconds(10))
        }
        world.feed { $0.adjustDials($1, into: &$2) }
        var dials = 0
        for _ in 0..<6_000 {
            while true {
                let begun = world.takeDials()
                guard !begun.isEmpty, dials < 100_000 else { break }
                for id in begun {
                    dials += 1
                    world.establish(id, capacity: early ? 0 : 1)
                    if !early { world.setCapacity(id, 0) }
                    world.closed(id)
                }
            }
            world.pass(.milliseconds(10))
        }
        #expect((100..<2_500).contains(dials))
    }
}
