import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("EventLoop", .timeLimit(.minutes(10)))
struct EventLoopTests {
    private final class TurnCounter: TurnTarget {
        var turns = 0

        func turnEnded(on loop: EventLoop) { turns += 1 }
    }

    @Test func `jobs run in the order they were posted, a bounded number per turn`() {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.jobsPerTurnMax = 10
        let loop = network.makeLoop(configuration: configuration)
        let order = Mutex<[Int]>([])
        for index in 0..<35 { loop.execute { order.withLock { $0.append(index) } } }
        let before = loop.metrics.turns
        network.runUntilIdle()
        #expect(order.withLock { $0 } == Array(0..<35))
        #expect(loop.metrics.turns - before == 4)
    }

    @Test func `a burst of posts wakes the loop once`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        for burst in 1...3 {
            for _ in 0..<100 { loop.execute {} }
            #expect(network.wakes == burst)
            network.runUntilIdle()
        }
    }

    @Test func `an end-of-turn target is called once for each request`() {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let alarm = TurnCounter()
        loop.runAtEndOfTurn(alarm)
        network.runUntilIdle()
        network.run(for: .seconds(1))
        #expect(alarm.turns == 1)
    }

    @Test func `what an end-of-turn target writes leaves in the same turn`() throws {
        final class Writer: TurnTarget {
            let recorder: Recorder
            init(_ recorder: Recorder) { self.recorder = recorder }
            func turnEnded(on loop: EventLoop) {
                recorder.connection?.write(text: "late")
            }
        }
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let recorders = Recorders {
            $0.onReceive = { _, connection in
                connection.write(text: "early ")
                guard let recorder = connection.handler as? Recorder else { return }
                connection.loop.runAtEndOfTurn(Writer(recorder))
            }
        }
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        let peer = try #require(network.connect(to: address))
        network.runUntilIdle()
        let before = loop.metrics.sends
        peer.send([1])
        network.runUntilIdle()
        #expect(String(decoding: peer.received, as: UTF8.self) == "early late")
        #expect(loop.metrics.sends - before == 1)
    }

    @Test func `an identifier of a closed connection never names its successor`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let recorders = Recorders()
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        var seen: Set<ConnectionID> = []
        for index in 0..<50 {
            let peer = try #require(network.connect(to: address))
            network.runUntilIdle()
            let connection = try #require(recorders.all[index].connection)
            let id = connection.id
            #expect(seen.insert(id).inserted)
            #expect(loop.connection(id) === connection)
            peer.close()
            network.runUntilIdle()
            #expect(loop.connection(id) == nil)
        }
        #expect(loop.registrations == 1)
    }

    @Test func `an identifier of another group never names a listener`() throws {
        let (mine, other) = (SimulatedNetwork(), SimulatedNetwork())
        let (loop, otherLoop) = (mine.makeLoop(), other.makeLoop())
        let recorders = Recorders()
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        let peer = mine.connect(to: address)
        mine.runUntilIdle()
        let id = try #require(recorders.all.first?.connection?.id)
        // In the other loop the same slots hold listeners.
        for _ in 0..<4 {
            _ = try otherLoop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
                recorders.make($0, $1)
            }
        }
        #expect(otherLoop.connection(id) == nil)
        peer?.close()
    }

    @Test func `mass close is spread over turns`() throws {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.closesPerTurnMax = 100
        let loop = network.makeLoop(configuration: configuration)
        let recorders = Recorders()
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        for _ in 0..<1_000 { _ = network.connect(to: address) }
        network.runUntilIdle()
        #expect(loop.metrics.accepted == 1_000)
        for recorder in recorders.all { recorder.connection?.abort() }
        var (most, before) = (0, 0)
        while loop.metrics.closed < 1_000 {
            loop.turn(until: network.now)
            most = max(most, loop.metrics.closed - before)
            before = loop.metrics.closed
        }
        #expect(most == 100)
        #expect(recorders.all.allSatisfy { $0.closeReason == .local })
        #expect(network.openDescriptors == 1)
    }

    @Test(arguments: 0..<9)
    func `a turn in which something is never done traps`(bound: Int) async {
        await #expect(processExitsWith: .failure) { [bound] in
            var configuration = EventLoop.Configuration()
            switch bound {
            case 0: configuration.acceptsPerTurnMax = 0
            case 1: configuration.readsPerConnectionMax = 0
            case 2: configuration.jobsPerTurnMax = 0
            case 3: configuration.timersPerTurnMax = 0
            case 4: configuration.closesPerTurnMax = 0
            case 5: configuration.jobsPerFlushMax = 0
            case 6: configuration.receiveBufferBytes = 1_023
            case 7: configuration.idlePollTime = .nanoseconds(-1)
            default: configuration.gatherBufferBytes = 1_023
            }
            _ = SimulatedNetwork().makeLoop(configuration: configuration)
        }
    }

    @Test(arguments: [8, 1_024])
    func `what tasks wrote leaves after so many of their jobs, while the turn goes on`(
        jobsMax: Int
    ) throws {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.jobsPerFlushMax = jobsMax
        let loop = network.makeLoop(configuration: configuration)
        let listener = try loop.listenForTasks(on: SocketAddress(host: "127.0.0.1", port: 0))
        let server = Task(executorPreference: loop) {
            await listener.serve { connection in
                for try await bytes in connection.inbound {
                    for _ in 0..<40 {
                        await Task.yield()
                        try await connection.write(bytes)
                    }
                }
            }
        }
        let peer = try #require(network.connect(to: listener.address))
        network.runUntilIdle()
        let before = loop.metrics
        peer.send([7])
        network.runUntilIdle()
        #expect(peer.received == [UInt8](repeating: 7, count: 40))
        #expect(loop.metrics.turns - before.turns == 1)
        let jobs = loop.metrics.jobs - before.jobs
        #expect(jobs >= 40)
        #expect(loop.metrics.sends - before.sends == (jobs + jobsMax - 1) / jobsMax)
        server.cancel()
        network.runUntilIdle()
    }

    @Test func `use from another thread traps`() async {
        await #expect(processExitsWith: .failure) {
            let loop = EventLoop(driver: try Platform.makeDriver())
            _ = loop.metrics
        }
    }
}
