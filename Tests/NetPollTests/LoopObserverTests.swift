import NetPoll
import NetPollTesting
import Testing

@Suite("LoopObserver")
struct LoopObserverTests {
    private final class Reports: LoopObserver {
        var all: [TurnReport] = []

        func turnEnded(_ report: TurnReport, on loop: EventLoop) { all.append(report) }
    }

    private final class Nothing: TimerTarget {
        func timerFired(_ id: TimerID, on loop: EventLoop) {}
    }

    @Test func `a turn tells what it did`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let reports = Reports()
        let recorders = Recorders()
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        loop.observer = reports
        let peer = try #require(network.connect(to: address))
        network.runUntilIdle()
        peer.send([1, 2, 3])
        loop.execute {}
        loop.execute {}
        loop.schedule(after: .zero, Nothing())
        network.runUntilIdle()
        #expect(reports.all.reduce(0) { $0 + $1.jobs } == 2)
        #expect(reports.all.reduce(0) { $0 + $1.timers } == 1)
        #expect(reports.all.reduce(0) { $0 + $1.events } == 2, "an accept and a receive")
        recorders.all.first?.connection?.abort()
        network.runUntilIdle()
        #expect(reports.all.reduce(0) { $0 + $1.closes } == 1)
        #expect(reports.all.allSatisfy { $0.duration == .zero }, "time stands still here")
        #expect(loop.metrics.events == 2 && loop.metrics.jobs == 2)
        #expect(loop.metrics.timersFired == 1)
    }

    @Test func `ages tell how long jobs and timers waited for their turn`() {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.jobsPerTurnMax = 2
        let loop = network.makeLoop(configuration: configuration)
        let reports = Reports()
        loop.observer = reports
        let driven = network.makeLoop()
        loop.schedule(after: .seconds(1), Nothing())
        for _ in 0..<3 { loop.execute {} }
        // Another loop's turns let the clock go on while this one is busy elsewhere.
        driven.schedule(after: .seconds(5), Nothing())
        network.run(for: .zero)
        #expect(reports.all.map(\.jobsLeft) == [1, 0])
        #expect(reports.all.map(\.jobs) == [2, 1])
        #expect(reports.all.map(\.jobAge) == [.zero, .zero])
    }

    /// Lasts as long as it says, on the simulated clock.
    private final class Slow: TimerTarget {
        private unowned let network: SimulatedNetwork
        private let duration: Duration

        init(_ network: SimulatedNetwork, _ duration: Duration) {
            self.network = network
            self.duration = duration
        }

        func timerFired(_ id: TimerID, on loop: EventLoop) { network.jumpClock(by: duration) }
    }

    @Test func `a leap of the clock is the age of the jobs that waited meanwhile`() {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.jobsPerTurnMax = 2
        let loop = network.makeLoop(configuration: configuration)
        let reports = Reports()
        loop.observer = reports
        for _ in 0..<3 { loop.execute {} }
        network.jumpClock(by: .seconds(3))
        loop.execute {}
        network.runUntilIdle()
        #expect(reports.all.map(\.jobs) == [2, 2])
        #expect(reports.all.map(\.jobAge) == [.seconds(3), .seconds(3)], "of the oldest")
        loop.execute {}
        network.jumpClock(by: .milliseconds(5))
        network.runUntilIdle()
        #expect(reports.all.last?.jobAge == .milliseconds(5))
        #expect(reports.all.allSatisfy { $0.timerAge == .zero })
    }

    @Test func `a timer's age is how late it fires, and a turn lasts as long as its work`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let reports = Reports()
        loop.observer = reports
        loop.schedule(after: .milliseconds(10), Nothing())
        loop.schedule(after: .milliseconds(50), Slow(network, .milliseconds(250)))
        network.jumpClock(by: .seconds(5))
        let start = network.now
        network.runUntilIdle()
        #expect(reports.all.map(\.timers) == [2])
        #expect(reports.all.map(\.timerAge) == [.milliseconds(4_990)], "of the one due first")
        #expect(reports.all.map(\.start) == [start])
        #expect(reports.all.map(\.duration) == [.milliseconds(250)])
        #expect(reports.all.map(\.jobAge) == [.zero])
        // A turn reads the clock when it begins: the next one tells what time it is now.
        loop.execute {}
        network.runUntilIdle()
        loop.schedule(after: .zero, Nothing())
        network.runUntilIdle()
        #expect(reports.all.last?.timerAge == .zero && reports.all.last?.duration == .zero)
    }

    @Test func `mass close leaves the rest to later turns`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) { _, _ in
            Recorder()
        }.address
        let count = 15_000
        var peers: [SimulatedPeer] = []
        for index in 0..<count {
            peers.append(try #require(network.connect(to: address)))
            if index % 500 == 499 { network.runUntilIdle() }
        }
        network.runUntilIdle()
        #expect(loop.metrics.accepted == count)
        let reports = Reports()
        loop.observer = reports
        for peer in peers { peer.reset() }
        network.runUntilIdle()
        let bound = loop.configuration.closesPerTurnMax
        #expect(loop.metrics.closed == count)
        #expect(reports.all.map(\.closes).max() == bound)
        #expect(reports.all.filter { $0.closes > 0 }.count >= count / bound)
        #expect(reports.all.contains { $0.closesLeft > 0 })
        #expect(network.openDescriptors == 1)
    }

    @Test func `an observer that is taken away is told no more`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let reports = Reports()
        loop.observer = reports
        loop.execute {}
        network.runUntilIdle()
        loop.observer = nil
        #expect(loop.observer == nil)
        loop.execute {}
        network.runUntilIdle()
        #expect(reports.all.count == 1)
    }
}
