import NetPollTesting
import Testing

@testable import NetPoll

@Suite("Accepting for several loops, and at a rate", .timeLimit(.minutes(10)))
struct AcceptTests {
    private final class Setup {
        let network = SimulatedNetwork(seed: 3)
        let group: EventLoopGroup
        let recorders = Recorders { $0.closesAtEnd = true }
        let address: SocketAddress

        init(
            _ host: String = "10.0.0.1", _ change: (inout Listener.Configuration) -> Void
        ) async throws {
            group = network.makeGroup(loops: 4)
            var configuration = Listener.Configuration()
            change(&configuration)
            address = try await group.listen(
                on: SocketAddress(host: host, port: 80), configuration: configuration
            ) { [recorders] in recorders.make($0, $1) }.address
        }

        func connect(_ count: Int) -> [SimulatedPeer] {
            let peers = (0..<count).compactMap { _ in network.connect(to: address) }
            network.runUntilIdle()
            return peers
        }

        var counts: [Int] { AcceptTests.counts(group.loops) }
    }

    /// Open connections by loop.
    private static func counts(_ loops: [EventLoop]) -> [Int] {
        loops.map { loop in
            var count = 0
            loop.forEachConnection { _ in count += 1 }
            return count
        }
    }

    @Test func `the kernel's way has a listener on every loop`() async throws {
        let setup = try await Setup { _ in }
        #expect(setup.group.loops.map(\.registrations) == [1, 1, 1, 1])
        _ = setup.connect(8)
        #expect(setup.counts == [2, 2, 2, 2])
    }

    @Test func `round robin hands connections to the loops in turn`() async throws {
        let setup = try await Setup { $0.balancing = .roundRobin }
        #expect(setup.group.loops.map(\.registrations) == [1, 0, 0, 0])
        let peers = setup.connect(10)
        #expect(setup.counts == [3, 3, 2, 2])
        for peer in peers { peer.send([1]) }
        setup.network.runUntilIdle()
        #expect(setup.recorders.all.allSatisfy { $0.received == [1] })
        for peer in peers { peer.close() }
        setup.network.runUntilIdle()
        #expect(setup.counts == [0, 0, 0, 0])
        #expect(setup.network.openDescriptors == 1)
    }

    @Test func `least connections fills the loop that emptied`() async throws {
        let setup = try await Setup { $0.balancing = .leastConnections }
        _ = setup.connect(40)
        #expect(setup.counts == [10, 10, 10, 10])
        setup.group.loops[2].forEachConnection { $0.abort() }
        setup.network.runUntilIdle()
        #expect(setup.counts == [10, 10, 0, 10])
        _ = setup.connect(9)
        #expect(setup.counts == [10, 10, 9, 10])
        _ = setup.connect(5)
        #expect(setup.counts == [11, 11, 11, 11])
    }

    @Test(arguments: DriverKind.kernels)
    func `a kernel's loop hands connections to the others, most to the one that emptied`(
        driver: DriverKind
    ) throws {
        // All three loops run in this thread.
        let worlds = try (0..<3).map { try driver.makeWorld(index: $0) }
        let loops = worlds.map { $0.loop }
        func run(until condition: () -> Bool) -> Bool {
            worlds[0].run {
                for loop in loops.dropFirst() { loop.turn(until: loop.now) }
                return condition()
            }
        }
        let recorders = Recorders()
        var configuration = Listener.Configuration()
        configuration.balancing = .leastConnections
        let place = ListenPlace(source: .address(.v4(0x0100_007f, port: 0)), targets: loops)
        let address = try loops[0].listen(place, configuration) {
            recorders.make($0, $1)
        }.address
        let first = (0..<6).compactMap { _ in worlds[0].connect(to: address) }
        let isSpread = run { Self.counts(loops) == [2, 2, 2] }
        #expect(isSpread)
        loops[2].forEachConnection { $0.abort() }
        // The balancer has heard of an end before the handler does.
        let isEmptied = run { recorders.all.count { $0.closeReason != nil } == 2 }
        #expect(isEmptied && Self.counts(loops) == [2, 2, 0])
        let second = (0..<5).compactMap { _ in worlds[0].connect(to: address) }
        let isFilled = run { Self.counts(loops) == [3, 3, 3] }
        #expect(isFilled)
        for client in first + second { client.send([1]) }
        let isServed = run { recorders.all.count { $0.received == [1] } == 9 }
        #expect(isServed)
    }

    @Test func `source hash keeps a host on its loop`() async throws {
        let setup = try await Setup { $0.balancing = .sourceHash }
        // All scripted peers come from 127.0.0.1, each from a port of its own.
        _ = setup.connect(20)
        #expect(setup.counts.sorted() == [0, 0, 0, 20])
        let balancer = Balancer(.sourceHash, loops: 4)
        var counts = [0, 0, 0, 0]
        for host in 0..<4_000 as Range<UInt32> {
            counts[balancer.choose(for: .v4(host.byteSwapped, port: 1))] += 1
        }
        #expect(counts.allSatisfy { (800...1_200).contains($0) }, "\(counts)")
    }

    @Test func `a loop that was shut down resets what is handed to it`() async throws {
        let setup = try await Setup { $0.balancing = .roundRobin }
        setup.group.loops[1].shutDown()
        let peers = setup.connect(4)
        #expect(setup.counts == [1, 0, 1, 1])
        #expect(peers.filter(\.isReset).count == 1)
        #expect(setup.network.openDescriptors == 4)
    }

    @Test func `no more are accepted than the rate allows`() async throws {
        let setup = try await Setup {
            $0.balancing = .roundRobin
            $0.acceptsPerSecondMax = 100
            $0.acceptBurstMax = 20
        }
        _ = setup.connect(1_000)
        #expect(setup.recorders.all.count == 20)
        setup.network.run(for: .seconds(1))
        #expect((115...120).contains(setup.recorders.all.count))
        setup.network.run(for: .seconds(8))
        #expect((880...920).contains(setup.recorders.all.count))
        setup.network.run(for: .seconds(2))
        #expect(setup.recorders.all.count == 1_000)
        let timers = setup.group.loops.compactMap(\.nextTimer)
        setup.network.run(for: .seconds(1))
        #expect(timers.count <= 1 && setup.group.loops.allSatisfy { $0.nextTimer == nil })
    }

    @Test(arguments: DriverKind.kernels)
    func `a kernel accepts no faster than the rate allows, the others wait in the backlog`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let recorders = Recorders()
        var configuration = Listener.Configuration()
        configuration.acceptsPerSecondMax = 50
        configuration.acceptBurstMax = 5
        let start = world.loop.now
        let address = try world.loop.listen(
            on: SocketAddress(host: "127.0.0.1", port: 0), configuration: configuration
        ) { recorders.make($0, $1) }.address
        let clients = (0..<15).compactMap { _ in world.connect(to: address) }
        #expect(clients.count == 15)
        var isTooFast = false
        let haveAll = world.run {
            let seconds = Double((world.loop.now - start).inNanoseconds) / 1e9
            if Double(recorders.all.count) > 5 + 50 * seconds + 1 { isTooFast = true }
            return recorders.all.count == 15
        }
        #expect(haveAll && !isTooFast)
        // Ten after the burst, one every 20 ms.
        #expect(world.loop.now - start >= .milliseconds(180))
        for client in clients { client.send([1]) }
        #expect(world.run { recorders.all.allSatisfy { $0.received == [1] } })
    }

    @Test(arguments: ["10.0.0.1", nil])
    func `a path, and a port by choice, is accepted on by one loop for all`(
        host: String?
    ) async throws {
        let network = SimulatedNetwork()
        let group = network.makeGroup(loops: 3)
        let address =
            try host.map { try SocketAddress(host: $0, port: 80) } ?? .unix(path: "/run/simulated")
        var configuration = Listener.Configuration()
        if host != nil { configuration.balancing = .roundRobin }
        let recorders = Recorders()
        let listener = try await group.listen(on: address, configuration: configuration) {
            recorders.make($0, $1)
        }
        #expect(group.loops.map(\.registrations) == [1, 0, 0])
        let peers = (0..<6).compactMap { _ in network.connect(to: listener.address) }
        network.runUntilIdle()
        #expect(group.loops.map(\.registrations) == [3, 2, 2])
        for peer in peers { peer.send([1]) }
        network.runUntilIdle()
        #expect(recorders.all.count == 6 && recorders.all.allSatisfy { $0.received == [1] })
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `a rate is kept over any time, whatever the pattern`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rate = Int.random(in: 1...10_000, using: &random)
        let burst = Int.random(in: 1...100, using: &random)
        var now: Int64 = 5
        var limit = RateLimit(
            perSecond: rate, burst: burst, now: Instant(nanoseconds: now))
        var taken = 0
        for _ in 0..<2_000 {
            now += Int64.random(in: 0...5_000_000, using: &random)
            let available = limit.available(at: Instant(nanoseconds: now))
            #expect(available <= burst, "seed \(seed)")
            for _ in 0..<Int.random(in: 0...max(0, available), using: &random) {
                limit.take()
                taken += 1
            }
            let most = Double(burst) + Double(now) * Double(rate) / 1e9 * 1.001 + 1
            #expect(Double(taken) <= most, "seed \(seed)")
        }
        if taken > 0 {
            now += 2_000_000_000
            #expect(limit.available(at: Instant(nanoseconds: now)) > 0, "seed \(seed)")
        }
    }

    @Test(arguments: [1, 1_000_000_000, Int.max])
    func `an extreme rate overflows nothing`(perSecond: Int) {
        var limit = RateLimit(perSecond: perSecond, burst: .max, now: Instant(nanoseconds: 0))
        #expect(limit.available(at: Instant(nanoseconds: .max / 2)) > 1_000_000)
        limit.take()
        #expect(limit.wait == .zero)
    }

    @Test func `a listener is held while a queue that was full is not empty`() async {
        let queue = AcceptQueue<Int>()
        for index in 1..<AcceptQueue<Int>.waitingMax { #expect(!queue.push(index)) }
        #expect(!queue.isHeld)
        #expect(queue.push(0))
        for index in (0..<AcceptQueue<Int>.waitingMax).reversed() {
            #expect(queue.isHeld)
            var goesOn = false
            _ = await withUnsafeContinuation { goesOn = queue.take($0) }
            #expect(goesOn == (index == 0))
        }
        // A listener on another loop that is told late to hold asks, and goes on.
        #expect(!queue.isHeld)
    }
}
