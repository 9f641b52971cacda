import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("LoopClock", .timeLimit(.minutes(10)))
struct LoopClockTests {
    /// What a task does that knows nothing of loops: notes the time at every beat.
    @Sendable private static func beat(
        every interval: Duration, times: Int, on clock: any Clock<Duration>,
        _ note: @Sendable () -> Void
    ) async throws {
        for _ in 0..<times {
            try await clock.sleep(for: interval)
            note()
        }
    }

    private enum Outcome: Sendable { case slept, cancelled, other }

    /// Starts a task on `loop` that sleeps and tells how that ended.
    private func sleeper(
        for duration: Duration, on loop: EventLoop
    ) -> (task: Task<Void, Never>, outcome: Outcomes) {
        let outcome = Outcomes()
        let task = Task(executorPreference: loop) {
            do {
                try await loop.clock.sleep(for: duration)
                outcome.add(loop.isCurrent ? .slept : .other)
            } catch is CancellationError {
                outcome.add(loop.isCurrent ? .cancelled : .other)
            } catch {
                outcome.add(.other)
            }
        }
        return (task, outcome)
    }

    private final class Outcomes: Sendable {
        private let list = Mutex<[Outcome]>([])

        func add(_ outcome: Outcome) { list.withLock { $0.append(outcome) } }
        var all: [Outcome] { list.withLock { $0 } }
    }

    @Test func `a task sleeps a day of virtual time at once`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let (_, outcome) = sleeper(for: .seconds(86_400), on: loop)
        network.run(for: .seconds(86_399))
        #expect(outcome.all.isEmpty)
        #expect(loop.timers == 1)
        network.run(for: .seconds(1))
        #expect(outcome.all == [.slept])
        #expect(loop.timers == 0)
    }

    @Test func `code that takes any clock goes by virtual time`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let start = network.now
        let beats = Mutex<[Duration]>([])
        _ = Task(executorPreference: loop) {
            try await Self.beat(every: .seconds(3_600), times: 24, on: loop.clock) {
                beats.withLock { $0.append(loop.now - start) }
            }
        }
        network.run(for: .seconds(86_400))
        #expect(beats.withLock { $0 } == (1...24).map { .seconds(3_600 * $0) })
    }

    @Test func `cancellation ends a sleep at once and frees its timer`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let start = network.now
        let (task, outcome) = sleeper(for: .seconds(86_400), on: loop)
        network.runUntilIdle()
        #expect(loop.timers == 1)
        task.cancel()
        #expect(loop.timers == 0)
        network.runUntilIdle()
        #expect(outcome.all == [.cancelled])
        #expect(network.now == start)
    }

    @Test func `a task that was cancelled before does not sleep`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let (task, outcome) = sleeper(for: .seconds(1), on: loop)
        task.cancel()
        network.runUntilIdle()
        #expect(outcome.all == [.cancelled])
        #expect(loop.timers == 0)
    }

    @Test func `a moment that has passed is not waited for`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let clock = loop.clock
        let (_, none) = sleeper(for: .zero, on: loop)
        let (_, negative) = sleeper(for: .seconds(-5), on: loop)
        network.runUntilIdle()
        #expect(none.all == [.slept] && negative.all == [.slept])
        #expect(clock.now == network.now)
        #expect(clock.minimumResolution == .milliseconds(1))
        #expect(clock.now.advanced(by: .seconds(1)) == network.now + .seconds(1))
        #expect(clock.now.duration(to: clock.now.advanced(by: .seconds(1))) == .seconds(1))
    }

    @Test func `shutting the loop down ends sleeps, and none begins after`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        let group = try EventLoopGroup(configuration: configuration)
        let loop = group.loops[0]
        let sleeping = Task(executorPreference: loop) {
            try await loop.sleep(for: .seconds(86_400))
        }
        while await loop.run({ loop.timers }) == 0 {}
        await group.shutdown()
        await #expect(throws: CancellationError.self) { try await sleeping.value }
        await #expect(throws: CancellationError.self) { try await loop.sleep(for: .seconds(1)) }
    }

    @Test func `a task elsewhere sleeps and is cancelled, too`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        let group = try EventLoopGroup(configuration: configuration)
        let loop = group.loops[0]
        let before = loop.clock.now
        try await loop.clock.sleep(for: .milliseconds(5))
        #expect(loop.clock.now >= before + .milliseconds(5))
        let sleeping = Task { try await loop.clock.sleep(for: .seconds(86_400)) }
        while await loop.run({ loop.timers }) == 0 {}
        sleeping.cancel()
        await #expect(throws: CancellationError.self) { try await sleeping.value }
        #expect(await loop.run { loop.timers } == 0)
        await group.shutdown()
    }
}
