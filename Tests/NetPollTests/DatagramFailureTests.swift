import NetPoll
import NetPollTesting
import Testing

@Suite("Datagrams that the kernel refuses", .timeLimit(.minutes(10)))
struct DatagramFailureTests {
    /// Longer than UDP carries (EMSGSIZE).
    private let long = [UInt8](repeating: 1, count: 65_530)

    private func open(
        _ world: any World, _ handler: Catcher, on host: String = "127.0.0.1",
        peer: SocketAddress? = nil
    ) throws -> DatagramSocket {
        var configuration = DatagramSocket.Configuration()
        configuration.peer = peer
        return try world.loop.openDatagramSocket(
            on: SocketAddress(host: host, port: 0), configuration: configuration, handler: handler)
    }

    @Test(arguments: DriverKind.kernels)
    func `a handler that sends again what failed does not hold its turn up`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let (near, far) = (Catcher(), Catcher())
        let (client, server) = (try open(world, near), try open(world, far))
        near.onFailed = { [long] socket in
            if near.errors.count < 1_000 { socket.send(bytes: long, to: server.address) }
        }
        client.send(bytes: long, to: server.address)
        world.loop.turn(until: world.loop.now)
        #expect((1...8).contains(near.errors.count), "as often as a turn ends")
        client.send(bytes: [2], to: server.address)
        #expect(world.run { far.received == [[2]] })
        near.onFailed = nil
        #expect(world.run { client.queuedDatagrams == 0 })
    }

    @Test(arguments: DriverKind.kernels)
    func `what a handler sends while its socket closes is refused`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let (near, far) = (Catcher(), Catcher())
        let (client, server) = (try open(world, near), try open(world, far))
        var outcome: WriteOutcome?
        near.onFailed = { outcome = $0.send(bytes: [3], to: server.address) }
        client.send(bytes: long, to: server.address)
        client.send(bytes: [2], to: server.address)
        client.close()
        #expect(outcome == .closed)
        #expect(world.run { far.received == [[2]] })
    }

    /// A send on a connected socket tells what ICMP said of an earlier datagram, and sends nothing.
    @Test(arguments: DriverKind.kernels)
    func `that nobody got a datagram does not cost the next one`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let (near, far) = (Catcher(), Catcher())
        // A host of its own, so that nobody else takes the port.
        let host = "127.\(Int.random(in: 1...250)).\(Int.random(in: 1...250)).1"
        let gone = try open(world, Catcher(), on: host)
        gone.close()
        let client = try open(world, near, peer: gone.address)
        client.send(bytes: [1])
        world.loop.turn(until: world.loop.now)
        let server = try world.loop.openDatagramSocket(on: gone.address, handler: far)
        client.send(bytes: [2])
        client.send(bytes: [3])
        client.close()
        let codes = near.errors.map(\.code)
        #expect(codes.allSatisfy { $0 == Platform.Errno.connectionRefused } && codes.count <= 1)
        #expect(world.run { far.received == [[2], [3]] })
        server.close()
    }

    @Test(arguments: DriverKind.kernels, [false, true])
    func `a datagram that fails is told once, with a peer and without`(
        driver: DriverKind, hasPeer: Bool
    ) throws {
        let world = try driver.makeWorld()
        let (near, far) = (Catcher(), Catcher())
        let server = try open(world, far)
        let client = try open(world, near, peer: hasPeer ? server.address : nil)
        for bytes in [[1], long, [2], long, long, [3]] {
            if hasPeer {
                client.send(bytes: bytes)
            } else {
                client.send(bytes: bytes, to: server.address)
            }
        }
        #expect(world.run { far.received.count == 3 && client.queuedDatagrams == 0 })
        #expect(far.received == [[1], [2], [3]])
        #expect(near.errors.count == 3)
    }

    @Test(arguments: DriverKind.kernels)
    func `a handler that closes when told what the close could not send closes once`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let near = Catcher()
        near.onFailed = { $0.close() }
        let client = try open(world, near)
        let server = try open(world, Catcher())
        client.send(bytes: long, to: server.address)
        client.close()
        #expect(near.errors.count == 1)
        // A second close would have ended this one, whose descriptor has the same number.
        let next = try open(world, Catcher())
        #expect(world.loop.registrations == 2)
        next.close()
        server.close()
        #expect(world.loop.registrations == 0)
    }

    @Test(arguments: [false, true])
    func `a socket that a handler opens when its loop ends is refused`(isGraceful: Bool) throws {
        let network = SimulatedNetwork()
        let loop = network.makeLoop()
        let recorders = Recorders()
        let address = try loop.listen(on: SocketAddress(host: "10.0.0.1", port: 80)) {
            recorders.make($0, $1)
        }.address
        let peer = network.connect(to: address)
        network.runUntilIdle()
        let recorder = try #require(recorders.all.first)
        let reporting = try SocketAddress(host: "10.0.0.1", port: 53)
        let first = try loop.openDatagramSocket(on: reporting, handler: Catcher())
        var result: Result<DatagramSocket, SystemError>?
        recorder.onClose = {
            first.close()
            result = Result { () throws(SystemError) in
                try loop.openDatagramSocket(on: reporting, handler: Catcher())
            }
        }
        if isGraceful { loop.beginShutDown() } else { loop.shutDown() }
        network.runUntilIdle()
        #expect(peer != nil && result != nil)
        if !isGraceful { #expect(throws: SystemError.self) { _ = try result?.get() } }
        #expect(network.openDescriptors == 0)
        #expect(loop.registrations == 0)
    }
}
