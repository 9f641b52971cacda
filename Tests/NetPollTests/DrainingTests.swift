import NetPoll
import NetPollTesting
import Testing

@Suite("Graceful shutdown", .timeLimit(.minutes(10)))
struct DrainingTests {
    @Test func `what is queued is sent, and the peer's end awaited`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let recorders = Recorders()
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        let peer = try #require(network.connect(to: address))
        network.runUntilIdle()
        let words = [UInt8](repeating: 7, count: 200_000)
        peer.stall()
        recorders.all.first?.connection?.write(bytes: words)
        var aborted: Int?
        loop.beginDrain(within: .seconds(10)) { aborted = $0 }
        network.run(for: .seconds(1))
        #expect(aborted == nil)
        #expect(network.connect(to: address) == nil, "nothing listens any more")
        peer.resume()
        network.runUntilIdle()
        #expect(peer.received == words && peer.isEnded)
        peer.sendEnd()
        network.run(for: .seconds(1))
        #expect(aborted == 0)
        #expect(recorders.all.first?.closeReason == .local)
        #expect(loop.timers == 0)
    }

    @Test func `who does not end is counted at the limit`() throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        var configuration = Listener.Configuration()
        configuration.limits.closeTimeout = .seconds(100)
        let address = try loop.listen(
            on: SocketAddress(host: "127.0.0.1", port: 0), configuration: configuration
        ) { _, _ in Recorder() }.address
        let peers = try (0..<3).map { _ in try #require(network.connect(to: address)) }
        network.runUntilIdle()
        var aborted: Int?
        loop.beginDrain(within: .seconds(10)) { aborted = $0 }
        peers[0].sendEnd()
        network.run(for: .seconds(9))
        #expect(aborted == nil)
        network.run(for: .seconds(2))
        #expect(aborted == 2)
    }

    @Test(arguments: [Duration.seconds(10), .zero])
    func `a turn closes, and aborts, no more connections than its bound`(limit: Duration) throws {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.closesPerTurnMax = 10
        let loop = network.makeLoop(configuration: configuration)
        var listening = Listener.Configuration()
        listening.limits.closeTimeout = .seconds(100)
        let recorders = Recorders()
        let address = try loop.listen(
            on: SocketAddress(host: "127.0.0.1", port: 0), configuration: listening
        ) { recorders.make($0, $1) }.address
        let peers = try (0..<95).map { _ in try #require(network.connect(to: address)) }
        network.runUntilIdle()
        func count(_ isCounted: (Connection) -> Bool) -> Int {
            var count = 0
            loop.forEachConnection { if isCounted($0) { count += 1 } }
            return count
        }
        var (open, left) = ([count(\.isOpen)], [count { _ in true }])
        network.runTurn = { [unowned network] loop in
            loop.turn(until: network.now)
            open.append(count(\.isOpen))
            left.append(count { _ in true })
        }
        var aborted: Int?
        loop.beginDrain(within: limit) {
            aborted = $0
            #expect(loop.registrations == 0, "all ends are carried out")
        }
        // The first ones at once, the others in later turns.
        open.append(count(\.isOpen))
        left.append(count { _ in true })
        network.runUntilIdle()
        func steps(_ counts: [Int]) -> [Int] { zip(counts, counts.dropFirst()).map { $0 - $1 } }
        if limit > .zero {
            #expect(steps(open).max() == 10 && open.last == 0)
            #expect(steps(open).filter { $0 > 0 }.count == 10)
            #expect(peers.allSatisfy { $0.isEnded && !$0.isReset })
            #expect(left.last == 95 && aborted == nil)
            for peer in peers.prefix(40) { peer.sendEnd() }
            network.run(for: .seconds(9))
            #expect(left.last == 55)
            left.removeFirst(left.count - 1)
        }
        network.run(for: .seconds(2))
        #expect(steps(left).max() == 10 && left.last == 0)
        #expect(aborted == (limit > .zero ? 55 : 95))
        let reasons = recorders.all.map(\.closeReason)
        #expect(reasons.count { $0 == .shutdown } == aborted)
        #expect(loop.timers == 0 && loop.registrations == 0)
    }

    @Test func `a shutdown aborts no more connections in a turn than its bound`() async throws {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.closesPerTurnMax = 10
        let loop = network.makeLoop(configuration: configuration)
        let group = EventLoopGroup(loops: [loop])
        let recorders = Recorders()
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        let peers = try (0..<95).map { _ in try #require(network.connect(to: address)) }
        network.runUntilIdle()
        var ends = [0]
        network.runTurn = { [unowned network] loop in
            loop.turn(until: network.now)
            ends.append(recorders.all.count { $0.closeReason == .shutdown })
        }
        // Returns at once, for its loops have no threads to wait for.
        await group.shutdown()
        network.runUntilIdle()
        let perTurn = zip(ends, ends.dropFirst()).map { $1 - $0 }
        #expect(perTurn.max() == 10 && ends.last == 95)
        #expect(peers.allSatisfy { $0.isReset })
        #expect(loop.isStopped && loop.registrations == 0 && !loop.hasWork)
    }

    @Test func `a drain that a shutdown overtakes tells who was left`() throws {
        let network = SimulatedNetwork()
        var configuration = EventLoop.Configuration()
        configuration.closesPerTurnMax = 1
        let loop = network.makeLoop(configuration: configuration)
        let address = try loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) { _, _ in
            Recorder()
        }.address
        for _ in 0..<3 { _ = try #require(network.connect(to: address)) }
        network.runUntilIdle()
        var left: [Int] = []
        loop.beginDrain(within: .seconds(10)) { left.append($0) }
        loop.shutDown()
        #expect(left == [3])
        #expect(!loop.hasWork && loop.registrations == 0)
    }

    @Test func `a group ends gracefully and its loops are gone`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        let group = try EventLoopGroup(configuration: configuration)
        _ = try await group.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) { _, _ in
            Recorder()
        }
        #expect(await group.shutdown(gracefullyWithin: .seconds(10)) == 0)
        #expect(!group.loops[0].execute {})
        #expect(await group.shutdown(gracefullyWithin: .seconds(10)) == 0)
    }
}
