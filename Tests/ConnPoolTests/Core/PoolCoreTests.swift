import NetPoll
import Testing

@testable import ConnPool

@Suite("PoolCore: leases and those who wait")
struct PoolCoreTests {
    @Test func `the first request waits for a dial, and gets its connection`() throws {
        var world = CoreWorld()
        let waiter = try world.wait()
        let dials = world.takeDials()
        #expect(dials.count == 1)
        world.establish(dials[0])
        #expect(world.take() == [.grant(waiter, dials[0])])
    }

    @Test func `a returned connection is leased again without a dial`() throws {
        var world = CoreWorld()
        let first = try world.fill(1)[0]
        #expect(try world.lease() == first)
        #expect(world.take().isEmpty)
        #expect(world.core.counters.dials == 1)
    }

    @Test(arguments: [PoolConfiguration.IdleOrder.lifo, .fifo])
    func `idle connections are leased in the configured order`(
        order: PoolConfiguration.IdleOrder
    ) throws {
        var world = CoreWorld { $0.idleOrder = order }
        let ids = try world.fill(3)
        let leased = [try world.lease(), try world.lease(), try world.lease()]
        #expect(leased == (order == .lifo ? ids.reversed() : ids))
    }

    @Test func `requests are served in the order they came`() throws {
        var world = CoreWorld { $0.connectionsMax = 1 }
        _ = try world.fill(1)
        let id = try world.lease()
        let waiters = [try world.wait(), try world.wait(), try world.wait()]
        for waiter in waiters {
            world.release(id)
            #expect(world.take() == [.grant(waiter, id)])
        }
        world.release(id)
        #expect(world.core.snapshot.idle == 1)
    }

    @Test func `nobody overtakes who waits`() throws {
        var world = CoreWorld { $0.connectionsMax = 1 }
        _ = try world.fill(1)
        let id = try world.lease()
        let waiter = try world.wait()
        world.release(id)
        guard case .queued = world.request() else {
            Issue.record("a later request was served first")
            return
        }
        #expect(world.take() == [.grant(waiter, id)])
    }

    @Test func `one who cancelled is passed over and leaks nothing`() throws {
        var world = CoreWorld { $0.connectionsMax = 1 }
        _ = try world.fill(1)
        let id = try world.lease()
        let (first, second) = (try world.wait(), try world.wait())
        world.feed { $0.cancelled(first, now: $1, into: &$2) }
        #expect(world.take() == [.fail(first, .cancelled)])
        world.release(id)
        #expect(world.take() == [.grant(second, id)])
        world.feed { $0.cancelled(first, now: $1, into: &$2) }
        #expect(world.take().isEmpty)
        world.release(id)
        #expect(world.core.leases == 0)
        #expect(world.core.snapshot.idle == 1)
    }

    @Test func `a deadline ends the wait, and not before`() throws {
        var world = CoreWorld { $0.connectionsMax = 1 }
        _ = try world.fill(1)
        _ = try world.lease()
        let waiter = try world.wait(within: .seconds(5))
        world.pass(.seconds(5) - .nanoseconds(1))
        #expect(world.take().isEmpty)
        world.pass(.nanoseconds(1))
        #expect(world.take() == [.fail(waiter, .timedOut)])
        #expect(world.core.counters.timedOut == 1)
    }

    @Test func `deadlines end waits in their own order, not the queue's`() throws {
        var world = CoreWorld { $0.connectionsMax = 1 }
        _ = try world.fill(1)
        let id = try world.lease()
        let patient = try world.wait(within: .seconds(9))
        let hasty = try world.wait(within: .seconds(2))
        world.pass(.seconds(3))
        #expect(world.take() == [.fail(hasty, .timedOut)])
        world.release(id)
        #expect(world.take() == [.grant(patient, id)])
    }

    @Test func `the queue is bounded`() throws {
        var world = CoreWorld {
            $0.connectionsMax = 1
            $0.waitersMax = 2
        }
        _ = try world.fill(1)
        _ = try world.lease()
        _ = try world.wait()
        _ = try world.wait()
        #expect(world.request() == .refused(.queueFull))
    }

    @Test func `who does not wait gets nothing, and causes nothing`() throws {
        var world = CoreWorld()
        #expect(world.request(waits: false) == .empty)
        #expect(world.take().isEmpty)
        let id = try world.fill(1)[0]
        #expect(world.request(waits: false) == .granted(id, isFresh: false))
    }

    @Test func `a deadline that is over waits for nothing`() {
        var world = CoreWorld()
        #expect(world.request(within: .zero) == .refused(.timedOut))
        #expect(world.takeDials().isEmpty)
    }

    @Test func `a deadline shorter than the predicted wait fails at once`() throws {
        var world = CoreWorld { $0.connectionsMax = 1 }
        let id = try world.fill(1)[0]
        for _ in 0..<50 {
            _ = try world.lease()
            world.pass(.milliseconds(100))
            world.release(id, heldFor: .milliseconds(100))
        }
        _ = try world.lease()
        // The next to return may come at any moment, so one may always wait.
        _ = try world.wait(within: .milliseconds(1))
        _ = try world.wait(within: .milliseconds(150))
        guard
            case .refused(.deadlineTooShort(let wait)) = world.request(within: .milliseconds(150))
        else {
            Issue.record("the third in the queue cannot be served within 150 ms")
            return
        }
        #expect(wait > .milliseconds(150) && wait <= .milliseconds(200))
        _ = try world.wait(within: .milliseconds(250))
    }

    @Test func `requests with short deadlines only still get a pool going`() throws {
        var world = CoreWorld()
        // Teach it that a dial takes 150 ms.
        for _ in 0..<30 {
            _ = try world.wait()
            let dial = world.takeDials()[0]
            world.pass(.milliseconds(150))
            world.establish(dial)
            world.discard(dial)
            world.closed(dial)
        }
        _ = world.take()
        guard case .refused(.deadlineTooShort) = world.request(within: .milliseconds(50)) else {
            Issue.record("a dial takes longer than 50 ms")
            return
        }
        let dials = world.takeDials()
        try #require(dials.count == 1)
        world.pass(.milliseconds(150))
        world.establish(dials[0])
        #expect(try world.lease() == dials[0])
    }

    // MARK: - Shared connections

    @Test func `a connection gives as many leases as it has capacity`() throws {
        var world = CoreWorld {
            $0.connectionsMax = 1
            $0.leasesPerConnection = 3
        }
        let waiters = [try world.wait(), try world.wait()]
        let dials = world.takeDials()
        #expect(dials.count == 1)
        world.establish(dials[0])
        #expect(world.take() == waiters.map { .grant($0, dials[0]) })
        #expect(try world.lease() == dials[0])
        let waiter = try world.wait()
        world.release(dials[0])
        #expect(world.take() == [.grant(waiter, dials[0])])
    }

    @Test func `idle means that none is out`() throws {
        var world = CoreWorld { $0.leasesPerConnection = 2 }
        let id = try world.fill(1)[0]
        _ = try world.lease()
        _ = try world.lease()
        world.release(id)
        #expect(world.core.snapshot.idle == 0)
        world.pass(.seconds(301))
        #expect(world.take().isEmpty)
        world.release(id)
        #expect(world.core.snapshot.idle == 1)
        world.pass(.seconds(301))
        #expect(world.take() == [.close(id, .idleTimedOut)])
    }

    @Test func `capacity that grows serves who waits`() throws {
        var world = CoreWorld { $0.connectionsMax = 1 }
        let id = try world.fill(1)[0]
        _ = try world.lease()
        let waiters = [try world.wait(), try world.wait()]
        world.feed { $0.capacityChanged(id, to: 3, now: $1, into: &$2) }
        #expect(world.take() == waiters.map { .grant($0, id) })
    }

    @Test func `capacity that shrinks below the leases out waits for them`() throws {
        var world = CoreWorld {
            $0.connectionsMax = 1
            $0.leasesPerConnection = 3
        }
        let id = try world.fill(1)[0]
        for _ in 0..<3 { _ = try world.lease() }
        world.feed { $0.capacityChanged(id, to: 1, now: $1, into: &$2) }
        let waiter = try world.wait()
        world.release(id)
        world.release(id)
        #expect(world.take().isEmpty)
        world.release(id)
        #expect(world.take() == [.grant(waiter, id)])
    }

    @Test func `capacity 0 drains a connection and then closes it`() throws {
        var world = CoreWorld { $0.leasesPerConnection = 2 }
        let id = try world.fill(1)[0]
        _ = try world.lease()
        world.feed { $0.capacityChanged(id, to: 0, now: $1, into: &$2) }
        _ = try world.wait()
        #expect(world.takeDials().count == 1)
        world.release(id)
        #expect(world.take() == [.close(id, .retired)])
    }

    @Test func `a shared connection that one discards is closed when all are back`() throws {
        var world = CoreWorld { $0.leasesPerConnection = 2 }
        let id = try world.fill(1)[0]
        _ = try world.lease()
        _ = try world.lease()
        world.discard(id)
        #expect(world.request(waits: false) == .empty)
        #expect(world.take().isEmpty)
        world.release(id)
        #expect(world.take() == [.close(id, .discarded)])
    }
}
