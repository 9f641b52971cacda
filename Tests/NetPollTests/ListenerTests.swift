import NetPoll
import NetPollTesting
import Synchronization
import Testing

@Suite("Listener", .timeLimit(.minutes(10)))
struct ListenerTests {
    private let any = SocketAddress.v4(0x0100_007f, port: 0)

    @Test(arguments: DriverKind.allCases)
    func `a port in use is an error and not a silent sharing`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let recorders = Recorders()
        let address = try world.loop.listen(on: any) { recorders.make($0, $1) }.address
        let error = #expect(throws: SystemError.self) {
            _ = try world.loop.listen(on: address) { recorders.make($0, $1) }
        }
        #expect(error?.description == "bind \(address): Address already in use")
    }

    @Test func `a group's shared port is closed to others`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        let (first, second) = (
            try EventLoopGroup(configuration: configuration),
            try EventLoopGroup(configuration: configuration)
        )
        let listener = try await first.listen(on: any) { _, _ in Recorder() }
        let error = await #expect(throws: SystemError.self) {
            _ = try await second.listen(on: listener.address) { _, _ in Recorder() }
        }
        #expect(error?.operation == "bind \(listener.address)")
        await listener.close()
        let retry = try await second.listen(on: listener.address) { _, _ in Recorder() }
        #expect(retry.address == listener.address)
        await first.shutdown()
        await second.shutdown()
    }

    @Test(arguments: DriverKind.allCases)
    func `a closed listener accepts no more and its connections live on`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let listener = try world.loop.listen(on: any) { recorders.make($0, $1) }
        let client = try #require(world.connect(to: listener.address))
        #expect(world.run { recorders.all.count == 1 })
        listener.close()
        #expect(world.connect(to: listener.address) == nil)
        client.send([1, 2, 3])
        #expect(world.run { client.received == [1, 2, 3] })
    }

    @Test func `a turn accepts no more than its bound`() throws {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.acceptsPerTurnMax = 8
        let loop = network.makeLoop(configuration: configuration)
        let recorders = Recorders()
        let address = try loop.listen(on: any) { recorders.make($0, $1) }.address
        for _ in 0..<20 { _ = network.connect(to: address) }
        loop.turn(until: network.now)
        #expect(loop.metrics.accepted == 8)
        loop.turn(until: network.now)
        #expect(loop.metrics.accepted == 16)
        network.runUntilIdle()
        #expect(loop.metrics.accepted == 20)
    }

    @Test func `exhausted descriptors shed the waiting and keep the listener alive`() throws {
        let network = SimulatedNetwork()
        network.descriptorsMax = 4
        let loop = network.makeLoop()
        let recorders = Recorders()
        let address = try loop.listen(on: any) { recorders.make($0, $1) }.address
        let peers = (0..<10).compactMap { _ in network.connect(to: address) }
        network.runUntilIdle()
        #expect(loop.metrics.accepted == 3)
        #expect(loop.metrics.shed == 7)
        #expect(peers.filter(\.isEnded).count == 7)
        peers.first?.close()
        network.runUntilIdle()
        let late = try #require(network.connect(to: address))
        network.runUntilIdle()
        #expect(loop.metrics.accepted == 4)
        #expect(!late.isEnded)
    }

    @Test func `by the pause policy the waiting wait and nothing spins`() throws {
        let network = SimulatedNetwork()
        network.descriptorsMax = 2
        let loop = network.makeLoop()
        let recorders = Recorders()
        var configuration = Listener.Configuration()
        configuration.exhaustion = .pause(.milliseconds(100))
        let address = try loop.listen(on: any, configuration: configuration) {
            recorders.make($0, $1)
        }.address
        let first = try #require(network.connect(to: address))
        let second = try #require(network.connect(to: address))
        network.runUntilIdle()
        #expect(loop.metrics.acceptPauses == 1)
        let turns = loop.metrics.turns
        network.run(for: .seconds(10))
        #expect(loop.metrics.turns - turns < 500)
        #expect(!second.isEnded && !second.isReset)
        first.close()
        network.run(for: .seconds(1))
        #expect(loop.metrics.accepted == 2)
    }

    @Test func `a failed accept that sheds nobody pauses with jitter`() throws {
        let network = SimulatedNetwork(seed: 5)
        network.faults.failedAccepts = 0.7
        let loop = network.makeLoop()
        let recorders = Recorders()
        let address = try loop.listen(on: any) { recorders.make($0, $1) }.address
        let peers = (0..<200).compactMap { _ in network.connect(to: address) }
        network.run(for: .seconds(60))
        #expect(loop.metrics.accepted + loop.metrics.shed == 200)
        #expect(peers.filter(\.isEnded).count == loop.metrics.shed)
        #expect(loop.metrics.acceptFailures > 0)
    }

    @Test func `a connect on a loop that was shut down fails and is told so`() async throws {
        let group = try EventLoopGroup()
        let loop = group.loops[0]
        let error: ConnectError? = await withCheckedContinuation { continuation in
            loop.execute {
                loop.shutDown()
                #expect(throws: SystemError.self) {
                    _ = try loop.listen(on: .v4(0x0100_007f, port: 0)) { _, _ in Recorder() }
                }
                loop.connect(to: .v4(0x0100_007f, port: 1)) { result in
                    guard case .failure(let error) = result else {
                        continuation.resume(returning: nil)
                        return
                    }
                    continuation.resume(returning: error)
                }
            }
        }
        #expect(error != nil)
        await group.shutdown()
    }

    @Test func `who closes a group that is being closed waits for that`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        // Its listeners take a turn to close.
        configuration.driver = .ioUring
        let group = try EventLoopGroup(configuration: configuration)
        let listener = try await group.listen(on: any) { _, _ in Recorder() }
        let log = EndingLog()
        let loop = group.loops[0]
        // On one thread, so that they end in the order in which they are told to.
        let closing = await loop.run { () -> [Task<Void, Never>] in
            (0..<3).map { index in
                Task(executorPreference: loop) { @Sendable in
                    await listener.close()
                    log.ended.withLock { $0.append(index) }
                }
            }
        }
        for task in try #require(closing) { await task.value }
        #expect(log.ended.withLock { $0 } == [0, 1, 2])
        await listener.close()
        await group.shutdown()
    }

    @Test func `a group serves on every loop and ends with all its threads`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        let group = try EventLoopGroup(configuration: configuration)
        let listener = try await group.listen(on: any) { _, _ in Recorder() }
        #expect(listener.address.port != 0)
        await group.shutdown()
        await group.shutdown()
        // What comes late neither hangs nor is silently lost.
        await listener.close()
        #expect(!group.loops[0].execute {})
        await #expect(throws: SystemError.self) {
            _ = try await group.listen(on: any) { _, _ in Recorder() }
        }
    }
}

private final class EndingLog: Sendable {
    let ended = Mutex<[Int]>([])
}
