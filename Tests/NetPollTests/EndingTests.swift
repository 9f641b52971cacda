import NetPoll
import NetPollTesting
import Synchronization
import Testing

/// Is set once, by any thread.
final class Flag: Sendable {
    private let state = Atomic(false)

    var isSet: Bool { state.load(ordering: .relaxed) }

    func set() { state.store(true, ordering: .relaxed) }
}

@Suite("Jobs and tasks of a loop that ends", .timeLimit(.minutes(1)))
struct EndingTests {
    private func group() throws -> EventLoopGroup {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        return try EventLoopGroup(configuration: configuration)
    }

    /// Posts itself until it is refused.
    private final class Poster: Sendable {
        let isRefused = Flag()

        func post(on loop: EventLoop) {
            let willRun = loop.execute { self.post(on: loop) }
            if !willRun { isRefused.set() }
        }
    }

    @Test func `a job that posts itself until it is refused holds no shutdown up`() async throws {
        let group = try group()
        let loop = group.loops[0]
        let poster = Poster()
        loop.execute { poster.post(on: loop) }
        await group.shutdown()
        #expect(poster.isRefused.isSet)
    }

    /// Posts the next of so many jobs, unless it is refused.
    private final class Chain: Sendable {
        let length = Atomic(0)
        let accepted = Atomic(0)

        func post(to end: Int, on loop: EventLoop) {
            let willRun = loop.execute {
                let length = self.length.add(1, ordering: .relaxed).newValue
                if length < end { self.post(to: end, on: loop) }
            }
            if willRun { accepted.add(1, ordering: .relaxed) }
        }
    }

    /// Another thread that posts without an end takes some of the rounds that a loop runs at its end.
    @Test(arguments: [false, true])
    func `jobs that jobs post at the end run, and what others post meanwhile`(
        isBusy: Bool
    ) async throws {
        let group = try group()
        let loop = group.loops[0]
        let (chain, others) = (Chain(), Chain())
        let isBegun = AsyncStream<Void>.makeStream()
        let posted = Task {
            var count = 0
            for await _ in isBegun.stream { break }
            while isBusy, loop.execute({ others.length.add(1, ordering: .relaxed) }) {
                count += 1
            }
            return count
        }
        loop.execute {
            isBegun.continuation.yield()
            loop.shutDown()
            chain.post(to: 100, on: loop)
        }
        let count = await posted.value
        await group.shutdown()
        #expect(others.length.load(ordering: .relaxed) == count, "who is not refused is run")
        let length = chain.length.load(ordering: .relaxed)
        #expect(length == chain.accepted.load(ordering: .relaxed), "who is not refused is run")
        #expect(isBusy || length == 100)
    }

    @Test func `a task that yields holds no shutdown up, and ends when it may`() async throws {
        let group = try group()
        let loop = group.loops[0]
        let mayEnd = Flag()
        let isBegun = AsyncStream<Void>.makeStream()
        let task = Task(executorPreference: loop) {
            isBegun.continuation.yield()
            while !mayEnd.isSet { await Task.yield() }
            return loop.isCurrent
        }
        for await _ in isBegun.stream { break }
        await group.shutdown()
        // It waits for what a task does that comes later still.
        let helper = Task(executorPreference: loop) { mayEnd.set() }
        await helper.value
        #expect(await task.value)
    }

    /// What became of connections that were begun on a loop that had ended.
    private final class Outcomes: Sendable {
        private let stored = Mutex<[ConnectError.Reason?]>([])

        var reasons: [ConnectError.Reason?] { stored.withLock { $0 } }

        /// Connects to `host`, a name or an address.
        func connect(to host: String, on loop: EventLoop) {
            loop.connect(host: host, port: 80) { result in
                self.stored.withLock { stored in
                    switch result {
                    case .success: stored.append(nil)
                    case .failure(let error): stored.append(error.reason)
                    }
                }
            }
        }
    }

    /// The sleepers are woken because their timers are dropped.
    @Test(arguments: ["192.0.2.1", "example"])
    func `who connects while a loop ends is told that it does`(host: String) throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let outcomes = Outcomes()
        for _ in 0..<3 {
            Task(executorPreference: loop) {
                try? await loop.clock.sleep(for: .seconds(1))  // Woken early, as it should be.
                outcomes.connect(to: host, on: loop)
            }
        }
        network.runUntilIdle()
        loop.shutDown()
        #expect(outcomes.reasons == [.shutdown, .shutdown, .shutdown])
    }

    @Test(arguments: ["192.0.2.1", "example"])
    func `who connects after a loop's end is told of it`(host: String) async throws {
        let group = try group()
        let loop = group.loops[0]
        await group.shutdown()
        let outcomes = Outcomes()
        await Task(executorPreference: loop) { outcomes.connect(to: host, on: loop) }.value
        // Comes behind what the first had to do.
        await Task(executorPreference: loop) {}.value
        #expect(outcomes.reasons == [.shutdown])
    }

    /// Whoever it holds is let go of, as when the loop ended.
    @Test func `a timer that is armed after a loop's end is dropped`() async throws {
        final class Target: TimerTarget, Sendable {
            func timerFired(_ id: TimerID, on loop: EventLoop) {}
        }
        let group = try group()
        let loop = group.loops[0]
        await group.shutdown()
        await Task(executorPreference: loop) {
            _ = loop.schedule(after: .seconds(1), Target())
        }.value
        let armed = await Task(executorPreference: loop) { loop.timers }.value
        #expect(armed == 0)
    }

    @Test func `no more tasks run in a turn than it may, whatever resumes them`() throws {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.jobsPerTurnMax = 8
        let loop = network.makeLoop(configuration: configuration)
        let listener = try loop.listenForTasks(on: SocketAddress(host: "127.0.0.1", port: 0))
        let server = Task(executorPreference: loop) {
            await listener.serve { connection in
                for try await bytes in connection.inbound {
                    for _ in 0..<5 { await Task.yield() }
                    try await connection.write(bytes)
                }
            }
        }
        let peers = try (0..<40).map { _ in try #require(network.connect(to: listener.address)) }
        network.runUntilIdle()
        var jobsMax = 0
        network.runTurn = { [unowned network] loop in
            let before = loop.metrics.jobs
            loop.turn(until: network.now)
            jobsMax = max(jobsMax, loop.metrics.jobs - before)
        }
        for peer in peers { peer.send([7]) }
        network.runUntilIdle()
        #expect(peers.allSatisfy { $0.received == [7] })
        #expect(jobsMax == 8)
        server.cancel()
        network.runUntilIdle()
    }
}
