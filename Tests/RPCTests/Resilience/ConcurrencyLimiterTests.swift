import NetPoll
import Testing

@testable import RPC

/// A server that serves so many calls at a time, each in the same time; what comes beyond that waits
/// for its turn.
private struct QueueServer {
    let capacity: Int
    let service: Int64
    /// When each place is free.
    private var free: [Int64]

    init(capacity: Int, service: Int64) {
        self.capacity = capacity
        self.service = service
        free = .init(repeating: 0, count: capacity)
    }

    /// When a call that comes now is done.
    mutating func serve(at now: Int64) -> Int64 {
        guard let place = free.indices.min(by: { free[$0] < free[$1] }) else { return now }
        free[place] = max(free[place], now) + service
        return free[place]
    }
}

@Suite("ConcurrencyLimiter")
struct ConcurrencyLimiterTests {
    private let millisecond: Int64 = 1_000_000

    /// Runs callers that want a call every `interval`, for `duration`.
    ///
    /// - Returns: The limits of the last half, and how many calls were served in it.
    private func drive(
        _ limiter: inout ConcurrencyLimiter, _ server: QueueServer, every interval: Int64,
        for duration: Int64
    ) -> (limits: [Int], latencies: [Int64]) {
        var server = server
        var running: [(start: Int64, end: Int64)] = []
        var limits: [Int] = []
        var latencies: [Int64] = []
        var now: Int64 = 1
        while now < duration {
            for call in running where call.end <= now {
                limiter.leave(started: call.start, wasDropped: false, at: now)
                if now > duration / 2 { latencies.append(call.end - call.start) }
            }
            running.removeAll { $0.end <= now }
            if limiter.enter() { running.append((now, server.serve(at: now))) }
            if now > duration / 2 { limits.append(limiter.limit) }
            now += interval
        }
        return (limits, latencies)
    }

    @Test func `twice the load that can be served is refused rather than queued`() throws {
        var limiter = ConcurrencyLimiter(AdaptiveConcurrency())
        // 10 at a time, 10 ms each: 1,000 a second. 2,000 come.
        let server = QueueServer(capacity: 10, service: 10 * millisecond)
        let (limits, latencies) = drive(
            &limiter, server, every: millisecond / 2, for: 60_000 * millisecond)
        let highest = try #require(limits.max())
        #expect(highest <= 40, "limit \(highest)")
        #expect(try #require(limits.min()) >= 8)
        // All that can be served is.
        #expect(latencies.count >= 28_000)
        let mean = latencies.reduce(0, +) / Int64(latencies.count)
        #expect(mean <= 35 * millisecond, "mean of \(mean) ns")
    }

    @Test func `a load that is served at once is never refused`() {
        var limiter = ConcurrencyLimiter(AdaptiveConcurrency())
        let server = QueueServer(capacity: 50, service: 10 * millisecond)
        var refused = 0
        var running: [(start: Int64, end: Int64)] = []
        var simulated = server
        for tick in Int64(1)..<40_000 {
            let now = tick * millisecond / 2
            for call in running where call.end <= now {
                limiter.leave(started: call.start, wasDropped: false, at: now)
            }
            running.removeAll { $0.end <= now }
            if limiter.enter() {
                running.append((now, simulated.serve(at: now)))
            } else {
                refused += 1
            }
        }
        #expect(refused == 0)
        // Most of it was not in use, so nothing speaks for a higher one.
        #expect(limiter.limit <= 64)
    }

    @Test func `calls that nobody waits for any more lower the limit to the lowest`() {
        var configuration = AdaptiveConcurrency()
        configuration.lowest = 7
        var limiter = ConcurrencyLimiter(configuration)
        for tick in Int64(1)..<20_000 where limiter.enter() {
            limiter.leave(started: 0, wasDropped: true, at: tick * millisecond)
        }
        #expect(limiter.limit == 7)
    }

    @Test func `no more enter than the limit says`() {
        var configuration = AdaptiveConcurrency()
        configuration.initial = 5
        var limiter = ConcurrencyLimiter(configuration)
        let entered = (0..<20).count { _ in limiter.enter() }
        #expect(entered == 5)
        limiter.cancelEntry()
        let more = (0..<20).count { _ in limiter.enter() }
        #expect(more == 1)
    }
}
