import NetPoll
import NetPollTesting
import Testing

@Suite("The simulated network's weather")
struct NetworkTests {
    /// An echo server at 10.0.0.1.
    private final class Setup {
        let network: SimulatedNetwork
        let loop: EventLoop
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let listener: Listener
        let host = SocketAddress.v4(0x0500_000a, port: 0)

        init(seed: UInt64 = 1, faults: Faults = Faults(), limits: Connection.Limits = .init())
            throws
        {
            network = SimulatedNetwork(seed: seed, faults: faults)
            loop = network.makeLoop()
            var configuration = Listener.Configuration()
            configuration.limits = limits
            listener = try loop.listen(
                on: SocketAddress(host: "10.0.0.1", port: 80), configuration: configuration
            ) { [recorders] in recorders.make($0, $1) }
        }

        func connect() throws -> SimulatedPeer {
            let peer = try #require(network.connect(to: listener.address, from: host))
            network.runUntilIdle()
            return peer
        }

        /// How long an answer of `count` bytes takes.
        func timeOfEcho(_ count: Int, _ peer: SimulatedPeer) -> Duration {
            let start = network.now
            let wanted = peer.received.count + count
            peer.send([UInt8](repeating: 1, count: count))
            let came = network.run(within: .seconds(600)) { peer.received.count == wanted }
            #expect(came)
            return network.now - start
        }
    }

    @Test func `latency is between its bounds, and both are met`() throws {
        var faults = Faults()
        faults.delayMin = .milliseconds(30)
        let fixed = try Setup(faults: faults)
        #expect(fixed.timeOfEcho(10, try fixed.connect()) == .milliseconds(60))
        faults.delayMax = .milliseconds(50)
        let drawn = try Setup(faults: faults)
        let peer = try drawn.connect()
        let times = (0..<200).map { _ in drawn.timeOfEcho(10, peer) }
        #expect(times.allSatisfy { (.milliseconds(60)...(.milliseconds(100))).contains($0) })
        #expect(Set(times).count > 100)
    }

    @Test func `a bandwidth makes bytes take their time, one after another`() throws {
        var faults = Faults()
        faults.bytesPerSecond = 10_000
        let setup = try Setup(faults: faults)
        let peer = try setup.connect()
        #expect(setup.timeOfEcho(5_000, peer) == .seconds(1))
        #expect(setup.timeOfEcho(1, peer) == .microseconds(200))
        // What is sent together arrives one after another.
        let start = setup.network.now
        for _ in 0..<4 { peer.send([UInt8](repeating: 1, count: 2_500)) }
        let recorder = try #require(setup.recorders.all.first)
        #expect(setup.network.run(within: .seconds(5)) { recorder.received.count == 15_001 })
        #expect(setup.network.now - start == .seconds(1))
    }

    @Test func `a partition holds bytes back until it is healed`() throws {
        let setup = try Setup()
        let (network, address) = (setup.network, setup.listener.address)
        let peer = try setup.connect()
        let stranger = try #require(
            network.connect(to: address, from: SocketAddress(host: "10.0.0.6", port: 0)))
        network.partition(setup.host, from: address)
        peer.send([1])
        stranger.send([2])
        network.run(for: .seconds(30))
        #expect(peer.received.isEmpty && stranger.received == [2])
        #expect(network.connect(to: address, from: setup.host) == nil)
        peer.send([3])
        network.heal()
        network.runUntilIdle()
        #expect(peer.received == [1, 3] && !peer.isReset)
    }

    @Test func `a host that is cut off connects once it is not`() throws {
        let setup = try Setup()
        let client = setup.network.makeLoop()
        setup.network.isolate(setup.listener.address)
        var configuration = ConnectConfiguration()
        configuration.localAddress = setup.host
        configuration.timeout = .seconds(5)
        var outcomes: [String] = []
        func connect() {
            client.connect(to: setup.listener.address, configuration: configuration) { result in
                switch result {
                case .success: outcomes.append("connected")
                case .failure(let error): outcomes.append("\(error.reason)")
                }
            }
        }
        connect()
        setup.network.run(for: .seconds(6))
        #expect(outcomes == ["timedOut"])
        connect()
        setup.network.run(for: .seconds(2))
        setup.network.heal()
        setup.network.run(for: .seconds(2))
        #expect(outcomes == ["timedOut", "connected"])
    }

    @Test func `datagrams do not cross a partition`() throws {
        final class Counter: DatagramHandler {
            var count = 0
            func received(
                _ bytes: inout MutableRawSpan, _ arrival: DatagramArrival, on socket: DatagramSocket
            ) { count += 1 }
        }
        let setup = try Setup()
        let counter = Counter()
        let far = try setup.loop.openDatagramSocket(
            on: SocketAddress(host: "10.0.0.1", port: 53), handler: counter)
        let near = try setup.loop.openDatagramSocket(on: setup.host, handler: Counter())
        setup.network.partition(near.address, from: far.address)
        near.send(bytes: [1], to: far.address)
        setup.network.run(for: .seconds(1))
        setup.network.heal()
        near.send(bytes: [2], to: far.address)
        setup.network.run(for: .seconds(1))
        #expect(counter.count == 1)
    }

    @Test func `a peer that vanishes is noticed by a deadline only`() throws {
        var limits = Connection.Limits()
        limits.idleTimeout = .seconds(40)
        let setup = try Setup(limits: limits)
        let peer = try setup.connect()
        peer.vanish()
        peer.send([1])
        peer.close()
        setup.network.run(for: .seconds(39))
        #expect(setup.recorders.all.first?.closeReason == nil)
        #expect(setup.recorders.all.first?.received == [])
        setup.network.run(for: .seconds(2))
        #expect(setup.recorders.all.first?.closeReason == .idleTimedOut)
        #expect(setup.network.openDescriptors == 1)
    }

    @Test func `losses and partitions come from the seed`() throws {
        func story(_ seed: UInt64) throws -> [Int] {
            var faults = Faults.cuts
            faults.lostConnections = 0.002
            faults.partitions = 0.02
            faults.clockJumps = 0.01
            let setup = try Setup(seed: seed, faults: faults)
            let peers = try (0..<20).map { _ in try setup.connect() }
            var counts: [Int] = []
            for _ in 0..<20 {
                for peer in peers { peer.send([UInt8](repeating: 1, count: 100)) }
                setup.network.run(for: .milliseconds(500))
                counts += peers.map(\.received.count)
            }
            setup.network.run(for: .seconds(60))
            return counts + peers.map(\.received.count) + [Int(setup.network.now.nanoseconds)]
        }
        let once = try story(4)
        #expect(try story(4) == once, "a run is repeated by its seed")
        #expect(try story(5) != once)
        let final = once.dropLast().suffix(20)
        #expect(final.contains(2_000) && final.contains { $0 < 2_000 }, "some were lost: \(final)")
    }

    @Test func `a partition by chance ends within its time, and what waited arrives`() throws {
        var faults = Faults()
        faults.partitions = 1
        faults.partitionMax = .seconds(2)
        let setup = try Setup(seed: 3, faults: faults)
        let peer = try setup.connect()
        let times = (0..<20).map { _ in setup.timeOfEcho(1, peer) }
        // There and back.
        #expect(times.allSatisfy { $0 <= .seconds(4) })
        #expect(times.contains { $0 > .milliseconds(100) })
    }

    @Test func `descriptors run out by chance and by a limit`() throws {
        let setup = try Setup()
        setup.network.faults.exhaustedDescriptors = 1
        let peer = try setup.connect()
        #expect(peer.isEnded && setup.loop.metrics.shed == 1)
        setup.network.faults.exhaustedDescriptors = 0
        setup.network.descriptorsMax = 1
        let error = #expect(throws: SystemError.self) {
            try setup.loop.listen(on: SocketAddress(host: "10.0.0.1", port: 81)) { _, _ in
                Recorder()
            }
        }
        #expect(error?.code == Platform.Errno.tooManyFiles)
    }

    private final class Beats: TimerTarget {
        var times: [Instant] = []
        func timerFired(_ id: TimerID, on loop: EventLoop) { times.append(loop.now) }
    }

    @Test func `a leap of the clock makes timers late and fires each once`() throws {
        let setup = try Setup()
        let beats = Beats()
        let start = setup.network.now
        setup.loop.schedule(every: .seconds(1), beats)
        setup.network.jumpClock(by: .seconds(3_600))
        setup.network.run(for: .milliseconds(500))
        #expect(beats.times == [start + .seconds(3_600)])
        setup.network.run(for: .seconds(1))
        #expect(beats.times.count == 2)
    }

    @Test func `leaps by chance are bounded, and the clock never goes back`() throws {
        var faults = Faults()
        faults.clockJumps = 0.5
        faults.clockJumpMax = .milliseconds(300)
        let setup = try Setup(faults: faults)
        let beats = Beats()
        setup.loop.schedule(every: .milliseconds(100), beats)
        let start = setup.network.now
        setup.network.run(for: .seconds(60))
        #expect(setup.network.now - start >= .seconds(60))
        let gaps = zip(beats.times, beats.times.dropFirst()).map { $1 - $0 }
        #expect(gaps.allSatisfy { $0 > .zero && $0 <= .milliseconds(510) })
        #expect(gaps.contains { $0 > .milliseconds(110) }, "some beats came late")
    }

    @Test func `a trap tells the seed that leads to it again`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let network = SimulatedNetwork(seed: 4_711)
            let loop = network.makeLoop()
            let address = SocketAddress.v4(0x0100_007f, port: 7)
            try loop.listen(on: address) { _, _ in Recorder() }
            let peer = try #require(network.connect(to: address))
            peer.sendEnd()
            peer.send([1])
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("bytes sent after the end was (simulated network of seed 4711, at"))
    }

    @Test func `a network that does not come to rest tells its seed`() async throws {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let network = SimulatedNetwork(seed: 815)
            let loop = network.makeLoop()
            @Sendable func again() { loop.execute { again() } }
            again()
            network.runUntilIdle(turnsMax: 50)
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("not idle after 50 rounds (simulated network of seed 815, at"))
    }

    @Test func `a thousand clients idle for a day and are answered`() throws {
        let network = SimulatedNetwork()
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        var configuration = Listener.Configuration()
        configuration.limits.idleTimeout = .seconds(2 * 86_400)
        let address = try network.makeLoop().listen(
            on: SocketAddress(host: "127.0.0.1", port: 7000), configuration: configuration
        ) { recorders.make($0, $1) }.address
        let peers = try (0..<1_000).map { _ in try #require(network.connect(to: address)) }
        for peer in peers { peer.send([1]) }
        network.run(for: .seconds(86_400))
        for peer in peers { peer.send([2]) }
        network.runUntilIdle()
        #expect(peers.allSatisfy { $0.received == [1, 2] && !$0.isEnded })
    }
}
