import NetPoll
import NetPollTesting
import Testing

@Suite("Timers of a loop")
struct LoopTimerTests {
    /// Notes the times at which it is called; arms itself again as often as it was told to.
    private final class Alarm: TimerTarget {
        var times: [Instant] = []
        var identifiers: Set<TimerID> = []
        var repeats: [Duration] = []
        /// Ends a repeating timer from within.
        var cancelsAfter = Int.max

        func timerFired(_ id: TimerID, on loop: EventLoop) {
            times.append(loop.now)
            identifiers.insert(id)
            if times.count == cancelsAfter { #expect(loop.cancel(id)) }
            if !repeats.isEmpty { loop.schedule(after: repeats.removeFirst(), self) }
        }
    }

    @Test func `a week of timers passes in two turns each`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let alarm = Alarm()
        alarm.repeats = Array(repeating: .seconds(3_600), count: 7 * 24 - 1)
        let start = network.now
        loop.schedule(after: .seconds(3_600), alarm)
        network.run(for: .seconds(7 * 24 * 3_600))
        #expect(alarm.times.count == 7 * 24)
        #expect(alarm.times.last == start + .seconds(7 * 24 * 3_600))
    }

    @Test func `a rescheduled timer fires once, at its new time`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let alarm = Alarm()
        let start = network.now
        let id = loop.schedule(after: .seconds(1), alarm)
        #expect(loop.reschedule(id, after: .seconds(5)))
        network.run(for: .seconds(10))
        #expect(alarm.times == [start + .seconds(5)])
        #expect(!loop.reschedule(id, after: .seconds(1)))
        #expect(!loop.cancel(id))
    }

    @Test func `a timer that arms itself for the present leaves the turn`() {
        final class Eager: TimerTarget {
            var fired = 0
            func timerFired(_ id: TimerID, on loop: EventLoop) {
                fired += 1
                if fired < 1_000 { loop.schedule(after: .zero, self) }
            }
        }
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.timersPerTurnMax = 10
        let loop = network.makeLoop(configuration: configuration)
        let eager = Eager()
        loop.schedule(after: .zero, eager)
        loop.turn(until: network.now)
        #expect(eager.fired == 10)
        network.runUntilIdle()
        #expect(eager.fired == 1_000)
    }

    @Test func `a repeating timer beats without drift under one identifier`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let alarm = Alarm()
        let start = network.now
        let id = loop.schedule(every: .milliseconds(1_500), alarm)
        network.run(for: .seconds(86_400))
        #expect(alarm.times.count == 57_600)
        #expect(alarm.times.last == start + .seconds(86_400))
        #expect(alarm.identifiers == [id])
        #expect(loop.timers == 1)
        #expect(loop.cancel(id))
        network.run(for: .seconds(10))
        #expect(alarm.times.count == 57_600)
        #expect(loop.timers == 0)
    }

    @Test func `a repeating timer may begin at another time, be moved and cancel itself`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let alarm = Alarm()
        alarm.cancelsAfter = 4
        let start = network.now
        let id = loop.schedule(every: .seconds(10), after: .seconds(1), alarm)
        network.run(for: .seconds(12))
        #expect(loop.reschedule(id, after: .seconds(3)))
        network.run(for: .seconds(100))
        #expect(alarm.times == [1, 11, 15, 25].map { start + .seconds($0) })
        #expect(loop.timers == 0)
    }

    @Test func `an interval is at least something and at most 49 days`() async {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        loop.schedule(every: .nanoseconds(1), Alarm())
        loop.schedule(every: .milliseconds(Int64(UInt32.max)), Alarm())
        #expect(loop.timers == 2)
        await #expect(processExitsWith: .failure) {
            SimulatedNetwork().makeLoop().schedule(every: .zero, Alarm())
        }
        await #expect(processExitsWith: .failure) {
            let interval = Duration.milliseconds(Int64(UInt32.max)) + .nanoseconds(1)
            SimulatedNetwork().makeLoop().schedule(every: interval, Alarm())
        }
    }

    @Test func `who waits for a timer is told once that the loop dropped it`() {
        final class Awaited: AwaitedTimerTarget {
            var drops = 0
            var fires = 0

            func timerDropped() { drops += 1 }

            func timerFired(_ id: TimerID, on loop: EventLoop) { fires += 1 }
        }
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let (dropped, cancelled) = (Awaited(), Awaited())
        loop.schedule(after: .seconds(1), dropped)
        loop.cancel(loop.schedule(after: .seconds(1), cancelled))
        loop.shutDown()
        loop.shutDown()
        #expect(dropped.drops == 1 && dropped.fires == 0)
        #expect(cancelled.drops == 0)
        #expect(loop.timers == 0)
    }

    @Test func `the end of a cancelled target may cancel other timers`() {
        final class Parent: TimerTarget {
            let loop: EventLoop
            let child: TimerID

            init(_ loop: EventLoop) {
                self.loop = loop
                child = loop.schedule(after: .seconds(1), Alarm())
            }

            deinit { loop.cancel(child) }

            func timerFired(_ id: TimerID, on loop: EventLoop) {}
        }
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let id = loop.schedule(after: .seconds(2), Parent(loop))
        #expect(loop.timers == 2)
        #expect(loop.cancel(id))
        #expect(loop.timers == 0)
    }
}
