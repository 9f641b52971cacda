import NetPoll
import NetPollTesting
import Testing

@Suite("Datagrams that the kernel does not take", .timeLimit(.minutes(10)))
struct DatagramBackpressureTests {
    /// A socket with bounds, and one that it sends to.
    private struct Pair {
        let network = SimulatedNetwork()
        let loop: EventLoop
        let near = Catcher()
        let far = Catcher()
        let server: DatagramSocket
        let client: DatagramSocket

        init(_ change: (inout DatagramSocket.Configuration) -> Void) throws {
            loop = network.makeLoop()
            server = try loop.openDatagramSocket(
                on: SocketAddress(host: "10.0.0.1", port: 53), handler: far)
            var configuration = DatagramSocket.Configuration()
            change(&configuration)
            client = try loop.openDatagramSocket(
                on: SocketAddress(host: "10.0.0.2", port: 0), configuration: configuration,
                handler: near)
        }
    }

    @Test func `what the kernel does not take waits, and a full queue refuses meanwhile`() throws {
        let pair = try Pair { $0.queuedDatagramsMax = 100 }
        let (network, near, far) = (pair.network, pair.near, pair.far)
        let (server, client) = (pair.server, pair.client)
        network.faults.refusedSends = 1
        for index in 0..<100 as Range<UInt8> {
            #expect(client.send(bytes: [index], to: server.address) == .accepted)
        }
        for _ in 0..<3 { pair.loop.turn(until: network.now) }
        #expect(client.queuedDatagrams == 100 && pair.loop.metrics.sends == 3, "one try a turn")
        #expect(client.send(bytes: [100], to: server.address) == .refused)
        #expect(near.drains == 0 && far.received.isEmpty)
        network.faults.refusedSends = 0
        network.runUntilIdle()
        #expect(near.drains == 1 && client.queuedDatagrams == 0)
        #expect(far.received == (0..<100).map { [$0] })
    }

    @Test func `a datagram that never fits is refused, and not called for again and again`() throws
    {
        let pair = try Pair { $0.queuedBytesMax = 100 }
        let (network, near, far) = (pair.network, pair.near, pair.far)
        let (server, client) = (pair.server, pair.client)
        let long = [UInt8](repeating: 0, count: 101)
        #expect(client.send(bytes: long, to: server.address) == .refused)
        network.runUntilIdle()
        #expect(near.drains == 0)
        #expect(client.send(bytes: Array(long.dropLast()), to: server.address) == .accepted)
        #expect(client.send(bytes: [1], to: server.address) == .refused)
        network.runUntilIdle()
        #expect(near.drains == 1 && far.received == [Array(long.dropLast())])
    }

    @Test(arguments: 0..<50 as Range<UInt64>, ["10.0.0.2", ""])
    func `refused datagrams are sent later, in order, each once`(seed: UInt64, host: String) throws
    {
        var faults = Faults()
        faults.refusedSends = 0.5
        let network = SimulatedNetwork(seed: seed, faults: faults)
        let loop = network.makeLoop()
        let far = Catcher()
        // By an address of IP, of which room is told, and by a Unix name, of which it is not.
        let isUnix = host.isEmpty
        let server = try loop.openDatagramSocket(
            on: isUnix ? .abstract("server") : SocketAddress(host: "10.0.0.1", port: 53),
            handler: far)
        let client = try loop.openDatagramSocket(
            on: isUnix ? .abstract("client") : SocketAddress(host: host, port: 0),
            handler: Catcher())
        let sent = (0..<200 as Range<UInt8>).map { [$0] }
        for bytes in sent { client.send(bytes: bytes, to: server.address) }
        network.run(for: .seconds(1))
        #expect(far.received == sent, "seed \(seed)")
        #expect(loop.metrics.sends > 50, "seed \(seed)")
        client.close()
        #expect(loop.timers == 0, "seed \(seed)")
    }

    /// A full receiver does not end the writability of who has no peer (unix(7)): taken for room it
    /// would be told in every turn.
    @Test(arguments: DriverKind.kernels, [false, true])
    func `a Unix socket whose receiver is full waits without spinning`(
        driver: DriverKind, hasPeer: Bool
    ) throws {
        let world = try driver.makeWorld()
        let (near, far) = (Catcher(), Catcher())
        let name = "netpoll-\(UInt64.random(in: 0...(.max)))"
        let server = try world.loop.openDatagramSocket(on: .abstract(name), handler: far)
        var configuration = DatagramSocket.Configuration()
        if hasPeer { configuration.peer = server.address }
        let client = try world.loop.openDatagramSocket(
            on: .abstract("client-\(name)"), configuration: configuration, handler: near)
        func send(_ bytes: [UInt8]) -> WriteOutcome {
            hasPeer ? client.send(bytes: bytes) : client.send(bytes: bytes, to: server.address)
        }
        server.pauseReading()
        let sent = (0..<1_024).map { [UInt8($0 >> 8), UInt8($0 & 255)] }
        for bytes in sent { #expect(send(bytes) == .accepted) }
        #expect(send([0]) == .refused)
        #expect(world.run { client.queuedDatagrams < 1_024 })
        let (turns, end) = (world.loop.metrics.turns, world.loop.now + .milliseconds(100))
        while world.loop.now < end { world.loop.turn(until: end) }
        #expect(world.loop.metrics.turns - turns < 30)
        #expect(client.queuedDatagrams > 0 && near.drains == 0, "the receiver is still full")
        server.resumeReading()
        #expect(world.run { far.received.count == sent.count && near.drains == 1 })
        #expect(far.received == sent)
        #expect(near.errors.isEmpty)
    }
}
