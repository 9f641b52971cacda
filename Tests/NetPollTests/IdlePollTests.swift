import NetPoll
import NetPollTesting
import Testing

@Suite("Looking for something to do before sleeping", .timeLimit(.minutes(10)))
struct IdlePollTests {
    private final class Reports: LoopObserver {
        var count = 0

        func turnEnded(_ report: TurnReport, on loop: EventLoop) { count += 1 }
    }

    private final class Nothing: TimerTarget {
        func timerFired(_ id: TimerID, on loop: EventLoop) {}
    }

    private func configuration(_ time: Duration) -> EventLoop.Configuration {
        var configuration = EventLoop.Configuration()
        configuration.idlePollTime = time
        return configuration
    }

    @Test func `a loop looks for as long as asked after it had something to do`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop(configuration: configuration(.microseconds(200)))
        #expect(loop.sleepEnd(nil) == nil, "nothing was done yet")
        loop.execute {}
        network.runUntilIdle()
        network.run(for: .microseconds(199))
        loop.turn(until: network.now)
        #expect(loop.sleepEnd(nil) == loop.now)
        network.run(for: .microseconds(1))
        loop.turn(until: network.now)
        #expect(loop.sleepEnd(nil) == nil)
        loop.schedule(after: .seconds(1), Nothing())
        #expect(loop.sleepEnd(nil).map { $0 > loop.now } == true, "timers end a sleep")
        network.run(for: .seconds(2))
        loop.execute {}
        loop.turn(until: network.now)
        #expect(loop.sleepEnd(nil) == loop.now, "what was done begins it anew")
    }

    @Test func `a loop sleeps at once by default`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        loop.execute {}
        network.runUntilIdle()
        loop.turn(until: network.now)
        #expect(EventLoop.Configuration().idlePollTime == .zero)
        #expect(loop.sleepEnd(nil) == nil)
    }

    @Test func `looks in vain are no turns, and no observer is told of them`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop(configuration: configuration(.seconds(1)))
        let reports = Reports()
        loop.observer = reports
        loop.execute {}
        network.runUntilIdle()
        let (turns, told) = (loop.metrics.turns, reports.count)
        #expect(turns == told && turns > 0)
        for _ in 0..<100 { loop.turn(until: nil) }
        #expect(loop.metrics.turns == turns && reports.count == told)
        loop.execute {}
        loop.turn(until: nil)
        #expect(loop.metrics.turns == turns + 1 && reports.count == told + 1)
        // The last look begins within the time, and ends after it.
        network.jumpClock(by: .seconds(2))
        loop.turn(until: nil)
        #expect(loop.metrics.turns == turns + 1 && reports.count == told + 1)
    }

    private final class Target: TurnTarget {
        var turns = 0

        func turnEnded(on loop: EventLoop) {
            turns += 1
            // Nine rounds: one turn has eight.
            if turns < 9 { loop.runAtEndOfTurn(self) }
        }
    }

    @Test func `a turn that only does what was left is one, and begins the time anew`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop(configuration: configuration(.seconds(1)))
        let (reports, target) = (Reports(), Target())
        loop.observer = reports
        loop.runAtEndOfTurn(target)
        loop.turn(until: nil)
        #expect(target.turns == 8)
        let (turns, told) = (loop.metrics.turns, reports.count)
        network.jumpClock(by: .milliseconds(900))
        loop.turn(until: nil)
        #expect(target.turns == 9)
        #expect(loop.metrics.turns == turns + 1 && reports.count == told + 1)
        network.jumpClock(by: .milliseconds(900))
        loop.turn(until: nil)
        #expect(loop.sleepEnd(nil) == loop.now)
    }

    @Test(arguments: DriverKind.allCases)
    func `it does not wait for events while it looks, and serves what comes`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld(configuration: configuration(.seconds(3_600)))
        let recorders = Recorders()
        let address = try world.loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        let client = try #require(world.connect(to: address))
        let isAccepted = world.run { recorders.all.count == 1 }
        #expect(isAccepted)
        let before = world.loop.now
        for _ in 0..<10 { world.loop.turn(until: before + .seconds(60)) }
        #expect(world.loop.now - before < .seconds(60))
        client.send([1, 2, 3])
        let isServed = world.run { recorders.all[0].received == [1, 2, 3] }
        #expect(isServed)
    }
}
