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
