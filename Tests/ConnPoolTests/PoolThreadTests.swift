import NetPoll
import NetPollTesting
import Synchronization
import Testing

@testable import ConnPool

/// A pool on the system's clock that tasks on all threads use at once, so that what crosses a
/// hand-over, a cancellation, a break or a close is a real race.
@Suite("ConnectionPool under threads", .timeLimit(.minutes(5)))
struct PoolThreadTests {
    /// A connection that knows whether somebody has it.
    final class Link: Sendable {
        let reporter: ConnectionReporter
        let users = Atomic<Int>(0)
        let closes = Atomic<Int>(0)

        init(_ reporter: ConnectionReporter) { self.reporter = reporter }
    }

    /// A lease on its way to another thread.
    final class Handed: Sendable {
        private let lease: Mutex<ConnectionPool<Link>.Lease?>

        init(_ lease: consuming ConnectionPool<Link>.Lease) { self.lease = Mutex(lease) }

        func end() { _ = lease.withLock { $0.take() } }
    }

    /// What is counted of all connections.
    final class Tally: Sendable {
        let links = Mutex<[Link]>([])
        let clashes = Atomic<Int>(0)
        let served = Atomic<Int>(0)
        let refused = Atomic<Int>(0)

        var closes: [Int] { links.withLock { $0.map { $0.closes.load(ordering: .relaxed) } } }

        func connector() -> PoolConnector<Link> {
            PoolConnector { [self] reporter in
                await Task.yield()
                let link = Link(reporter)
                links.withLock { $0.append(link) }
                return link
            } close: { link, _ in
                link.closes.add(1, ordering: .relaxed)
            }
        }
    }

    private static func makePool(_ tally: Tally) -> ConnectionPool<Link> {
        var configuration = PoolConfiguration()
        configuration.connectionsMax = 3
        configuration.idleMin = 1
        configuration.breaker = nil
        // However busy the machine is: nothing ends by the clock but what a test lets end.
        configuration.dialTimeout = .seconds(3_600)
        configuration.idleTimeout = nil
        configuration.lifetimeMax = nil
        configuration.backoff = Backoff(base: .nanoseconds(1), cap: .nanoseconds(1))
        return ConnectionPool(configuration: configuration, connector: tally.connector())
    }

    /// Leases once, and ends the lease in one of many ways.
    private static func visit(
        _ pool: ConnectionPool<Link>, _ tally: Tally, _ random: inout SeededGenerator
    ) async {
        let choice = Int.random(in: 0..<20, using: &random)
        let deadline = pool.now + (choice == 0 ? .microseconds(20) : .seconds(3_600))
        let lease: ConnectionPool<Link>.Lease
        do {
            lease = try await pool.lease(deadline: deadline)
        } catch {
            tally.refused.add(1, ordering: .relaxed)
            return
        }
        let link = lease.connection
        if link.users.add(1, ordering: .sequentiallyConsistent).oldValue != 0 {
            tally.clashes.add(1, ordering: .relaxed)
        }
        tally.served.add(1, ordering: .relaxed)
        if choice % 2 == 0 { await Task.yield() }
        if choice == 1 { link.reporter.closed() }
        link.users.subtract(1, ordering: .sequentiallyConsistent)
        switch choice {
        case 2: lease.discard()
        // The lease ends in another task, likely on another thread.
        case 3...5:
            let handed = Handed(lease)
            await Task.detached { handed.end() }.value
        case 6: pool.replaceConnections()
        default: lease.release()
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `leases, cancellations and breaks on all threads leave nothing behind`(
        seed: UInt64
    ) async {
        let tally = Tally()
        let pool = Self.makePool(tally)
        await withDiscardingTaskGroup { group in
            for number in 0..<32 as Range<UInt64> {
                group.addTask {
                    var random = SeededGenerator(seed: seed * 1_000 + number)
                    for _ in 0..<100 {
                        let inner = random.next()
                        let task = Task.detached {
                            var random = SeededGenerator(seed: inner)
                            await Self.visit(pool, tally, &random)
                        }
                        if inner % 4 == 0 {
                            await Task.yield()
                            task.cancel()
                        }
                        await task.value
                    }
                }
            }
        }
        let (snapshot, counters) = (pool.snapshot, pool.counters)
        #expect(tally.clashes.load(ordering: .relaxed) == 0)
        let (served, refused) = (
            tally.served.load(ordering: .relaxed), tally.refused.load(ordering: .relaxed)
        )
        #expect(served > 1_000 && served + refused == 3_200)
        #expect(served == counters.leased)
        #expect(snapshot.leases == 0 && snapshot.waiters == 0, "\(snapshot)")
        #expect(counters.leased == counters.returned)
        #expect(counters.timedOut + counters.failedFast < 400, "\(counters)")
        await pool.close()
        // What a late dial brought is closed when nobody waits for it any more.
        while tally.closes.contains(0) { await Task.yield() }
        #expect(tally.closes.allSatisfy { $0 == 1 }, "each connection is closed once")
    }

    @Test(arguments: [true, false])
    func `a pool that is closed under a load tells everyone`(drains: Bool) async {
        for seed in 0..<20 as Range<UInt64> {
            let tally = Tally()
            let pool = Self.makePool(tally)
            await withDiscardingTaskGroup { group in
                for number in 0..<16 as Range<UInt64> {
                    group.addTask {
                        var random = SeededGenerator(seed: seed * 1_000 + number)
                        for _ in 0..<50 { await Self.visit(pool, tally, &random) }
                    }
                }
                group.addTask {
                    while tally.served.load(ordering: .relaxed) < 100 { await Task.yield() }
                    if drains { await pool.drain(until: pool.now + .seconds(3_600)) }
                    await pool.close()
                }
            }
            let snapshot = pool.snapshot
            #expect(snapshot.state == .closed && snapshot.connections == 0, "\(snapshot)")
            #expect(snapshot.leases == 0 && snapshot.waiters == 0, "\(snapshot)")
            #expect(tally.clashes.load(ordering: .relaxed) == 0)
        }
    }

    /// A pool that only a lease holds.
    private static func dropped(
        _ tally: Tally
    ) async throws -> (events: AsyncStream<PoolEvent>, lease: Handed) {
        let pool = makePool(tally)
        let lease = try await pool.lease(deadline: pool.now + .seconds(600))
        return (pool.events, Handed(lease))
    }

    @Test func `a pool that is dropped under a lease ends with it, on any thread`() async throws {
        let tally = Tally()
        let (events, lease) = try await Self.dropped(tally)
        #expect(tally.closes.allSatisfy { $0 == 0 }, "a lease is out")
        await Task.detached { lease.end() }.value
        // The stream ends with the pool.
        for await _ in events {}
        #expect(tally.closes.contains(1))
    }
}
