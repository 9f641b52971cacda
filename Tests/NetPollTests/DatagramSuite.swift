import NetPoll
import NetPollTesting
import Testing

@Suite("Datagrams, on every driver", .timeLimit(.minutes(10)))
struct DatagramSuite {
    private func open(
        _ world: any World, _ handler: Catcher, on host: String = "127.0.0.1",
        _ change: (inout DatagramSocket.Configuration) -> Void = { _ in }
    ) throws -> DatagramSocket {
        var configuration = DatagramSocket.Configuration()
        change(&configuration)
        return try world.loop.openDatagramSocket(
            on: SocketAddress(host: host, port: 0), configuration: configuration, handler: handler)
    }

    @Test(arguments: DriverKind.allCases, ["127.0.0.1", "::1"])
    func `datagrams arrive whole, with their source, and come back`(
        driver: DriverKind, host: String
    ) throws {
        let world = try driver.makeWorld()
        let (near, far) = (Catcher(), Catcher())
        far.echoes = true
        let client = try open(world, near, on: host)
        let server = try open(world, far, on: host)
        // Fewer than the kernel's receive buffer holds.
        let sent = (0..<60).map { [UInt8](repeating: UInt8($0), count: $0 * 7) }
        for bytes in sent { client.send(bytes: bytes, to: server.address) }
        #expect(world.run { near.received.count == 60 })
        #expect(near.received == sent)
        #expect(far.arrivals.allSatisfy { $0.source == client.address && !$0.isTruncated })
        #expect(near.arrivals.allSatisfy { $0.source == server.address })
        client.close()
        server.close()
        #expect(world.loop.registrations == 0)
        #expect(client.send(bytes: [1], to: server.address) == .closed)
    }

    @Test(arguments: DriverKind.kernels)
    func `a turn's datagrams leave in batches of 64`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let far = Catcher()
        let (client, server) = (try open(world, Catcher()), try open(world, far))
        for _ in 0..<128 { client.send(bytes: [1], to: server.address) }
        #expect(world.run { far.received.count == 128 })
        #expect(world.loop.metrics.sends == 2)
    }

    @Test(arguments: DriverKind.allCases)
    func `a connected socket hears its peer alone`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let (near, far, other) = (Catcher(), Catcher(), Catcher())
        far.echoes = true
        let server = try open(world, far)
        let stranger = try open(world, other)
        let client = try open(world, near) { $0.peer = server.address }
        stranger.send(bytes: [9], to: client.address)
        client.send(bytes: [1, 2])
        #expect(world.run { near.received.count == 1 })
        #expect(near.received == [[1, 2]])
    }

    @Test(arguments: DriverKind.allCases)
    func `a connected socket is told that nobody listens`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let gone = try open(world, Catcher())
        gone.close()
        let near = Catcher()
        let client = try open(world, near) { $0.peer = gone.address }
        client.send(bytes: [1])
        #expect(world.run { !near.errors.isEmpty })
        #expect(near.errors.first?.code == Platform.Errno.connectionRefused)
        #expect(client.send(bytes: [1]) == .accepted, "the socket is still open")
    }

    @Test(arguments: DriverKind.allCases)
    func `a long datagram is cut and says so`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let far = Catcher()
        let server = try open(world, far) { $0.datagramBytesMax = 100 }
        let client = try open(world, Catcher())
        client.send(bytes: [UInt8](repeating: 5, count: 100), to: server.address)
        client.send(bytes: [UInt8](repeating: 6, count: 101), to: server.address)
        #expect(world.run { far.received.count == 2 })
        #expect(far.received.map(\.count) == [100, 100])
        #expect(far.arrivals.map(\.isTruncated) == [false, true])
    }

    @Test(arguments: DriverKind.allCases)
    func `a full queue refuses, and tells when it is empty`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let (near, far) = (Catcher(), Catcher())
        let server = try open(world, far)
        let client = try open(world, near) {
            $0.queuedDatagramsMax = 10
            $0.queuedBytesMax = 1_000
        }
        for _ in 0..<10 {
            #expect(client.send(bytes: [1], to: server.address) == .accepted)
        }
        #expect(client.send(bytes: [1], to: server.address) == .refused)
        #expect(world.run { near.drains == 1 && far.received.count == 10 })
        let long = [UInt8](repeating: 1, count: 600)
        #expect(client.send(bytes: long, to: server.address) == .accepted)
        #expect(client.send(bytes: long, to: server.address) == .refused)
        #expect(world.run { near.drains == 2 && far.received.count == 11 })
    }

    @Test(arguments: DriverKind.allCases, ["127.0.0.1", "::1"])
    func `packet information names the address that was sent to`(
        driver: DriverKind, host: String
    ) throws {
        let world = try driver.makeWorld()
        let far = Catcher()
        let server = try open(world, far, on: host) { $0.packetInfo = true }
        let client = try open(world, Catcher(), on: host)
        client.send(bytes: [1], to: server.address)
        #expect(world.run { far.received.count == 1 })
        #expect(far.arrivals.first?.destination == server.address.with(port: 0))
        #expect((far.arrivals.first?.interfaceIndex ?? 0) > 0)
    }

    @Test(arguments: DriverKind.allCases)
    func `a paused connected socket is still told that nobody listens`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let gone = try open(world, Catcher())
        gone.close()
        let near = Catcher()
        let client = try open(world, near) { $0.peer = gone.address }
        client.pauseReading()
        for count in 1...3 {
            client.send(bytes: [1])
            #expect(world.run { near.errors.count >= count })
        }
        client.resumeReading()
        client.send(bytes: [1])
        #expect(world.run { near.errors.count >= 4 })
    }

    @Test(arguments: DriverKind.allCases)
    func `more than a batch arrives, in order`(driver: DriverKind) throws {
        var configuration = EventLoop.Configuration()
        // A receive takes 4 datagrams of 2,048 bytes, and a turn 8.
        configuration.receiveBufferBytes = 8 << 10
        configuration.readsPerConnectionMax = 2
        let world = try driver.makeWorld(configuration: configuration)
        let far = Catcher()
        let (client, server) = (try open(world, Catcher()), try open(world, far))
        for index in 0..<100 as Range<UInt8> { client.send(bytes: [index], to: server.address) }
        #expect(world.run { far.received.count == 100 })
        #expect(far.received == (0..<100).map { [$0] })
    }

    @Test(arguments: DriverKind.kernels)
    func `one receive takes a batch of 64`(driver: DriverKind) throws {
        var configuration = EventLoop.Configuration()
        configuration.readsPerConnectionMax = 1
        let world = try driver.makeWorld(configuration: configuration)
        let far = Catcher()
        let (client, server) = (try open(world, Catcher()), try open(world, far))
        server.pauseReading()
        for index in 0..<100 as Range<UInt8> { client.send(bytes: [index], to: server.address) }
        #expect(world.run { client.queuedDatagrams == 0 })
        server.resumeReading()
        var counts: [Int] = []
        let came = world.run {
            counts.append(far.received.count)
            return far.received.count == 100
        }
        #expect(came)
        #expect(zip(counts, counts.dropFirst()).map { $1 - $0 }.max() == 64, "in a turn")
    }

    @Test(arguments: DriverKind.allCases)
    func `sockets that share a port each get some of its datagrams, none twice`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let catchers = [Catcher(), Catcher()]
        var sharing = DatagramSocket.Configuration()
        sharing.sharesPort = true
        let server = try open(world, catchers[0]) { $0.sharesPort = true }
        _ = try world.loop.openDatagramSocket(
            on: server.address, configuration: sharing, handler: catchers[1])
        let error = #expect(throws: SystemError.self) {
            try world.loop.openDatagramSocket(on: server.address, handler: Catcher())
        }
        #expect(error?.code == Platform.Errno.addressInUse)
        // A client's datagrams all go to one of them; which, its address decides.
        for index in 0..<40 as Range<UInt8> {
            let client = try open(world, Catcher())
            for _ in 0..<2 { client.send(bytes: [index], to: server.address) }
        }
        #expect(world.run { catchers.reduce(0) { $0 + $1.received.count } == 80 })
        let shares = catchers.map { Set($0.received.map { $0[0] }) }
        #expect(shares.allSatisfy { !$0.isEmpty })
        #expect(shares[0].isDisjoint(with: shares[1]))
        #expect(shares[0].union(shares[1]).count == 40)
    }

    @Test(arguments: DriverKind.allCases)
    func `a socket that pauses keeps what arrives`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let (far, last) = (Catcher(), Catcher())
        let (server, witness) = (try open(world, far), try open(world, last))
        let client = try open(world, Catcher())
        server.pauseReading()
        client.send(bytes: [1], to: server.address)
        client.send(bytes: [2], to: witness.address)
        #expect(world.run { last.received.count == 1 })
        #expect(far.received.isEmpty)
        server.resumeReading()
        #expect(world.run { far.received == [[1]] })
    }

    @Test func `members of a multicast group all hear what is sent to it`() throws {
        let world = SimulatedWorld(configuration: .init())
        let catchers = (0..<3).map { _ in Catcher() }
        let group = try SocketAddress(host: "239.1.2.3", port: 5_000)
        let sockets = try catchers.enumerated().map { index, catcher in
            try world.loop.openDatagramSocket(
                on: SocketAddress(host: "10.0.0.\(index + 1)", port: 5_000), handler: catcher)
        }
        let client = try open(world, Catcher())
        try sockets[0].join(group)
        try sockets[1].join(group)
        client.send(bytes: [1], to: group)
        #expect(world.run { catchers[0].received.count == 1 && catchers[1].received.count == 1 })
        try sockets[1].leave(group)
        client.send(bytes: [2], to: group)
        #expect(world.run { catchers[0].received.count == 2 })
        #expect(catchers.map(\.received.count) == [2, 1, 0])
    }

    @Test(arguments: DriverKind.kernels)
    func `members of a group on loopback hear what the kernel delivers`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let catchers = (0..<2).map { _ in Catcher() }
        let group = try SocketAddress(host: "239.1.2.3", port: 0)
        let sockets = try catchers.map { try open(world, $0, on: "0.0.0.0") }
        // Its source address makes the kernel send by the loopback interface (ip(7)).
        let client = try open(world, Catcher())
        for socket in sockets { try socket.join(group, interfaceIndex: 1) }
        for socket in sockets {
            client.send(bytes: [1], to: group.with(port: socket.address.port ?? 0))
        }
        #expect(world.run { catchers.allSatisfy { $0.received == [[1]] } })
        #expect(catchers[0].arrivals.first?.source == client.address)
        try sockets[0].leave(group, interfaceIndex: 1)
        for socket in sockets {
            client.send(bytes: [2], to: group.with(port: socket.address.port ?? 0))
        }
        #expect(world.run { catchers[1].received.count == 2 })
        #expect(catchers[0].received.count == 1)
    }

    @Test(arguments: DriverKind.kernels)
    func `the kernel joins groups, and refuses what is none`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let socket = try open(world, Catcher(), on: "0.0.0.0")
        let group = try SocketAddress(host: "239.1.2.3", port: 0)
        let six = try open(world, Catcher(), on: "::")
        // Interface 1 is loopback, which is always there.
        try socket.join(group, interfaceIndex: 1)
        try socket.leave(group, interfaceIndex: 1)
        try six.join(SocketAddress(host: "ff02::1234", port: 0), interfaceIndex: 1)
        #expect(throws: SystemError.self) { try socket.leave(group, interfaceIndex: 1) }
        #expect(throws: SystemError.self) {
            try socket.join(SocketAddress(host: "10.0.0.1", port: 0))
        }
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `lost and overtaken datagrams are never torn or doubled`(seed: UInt64) throws {
        var faults = Faults()
        faults.lostDatagrams = 0.2
        faults.delayMax = .milliseconds(50)
        let network = SimulatedNetwork(seed: seed, faults: faults)
        let (near, far) = (network.makeLoop(), network.makeLoop())
        let catcher = Catcher()
        let server = try far.openDatagramSocket(
            on: SocketAddress(host: "10.0.0.1", port: 53), handler: catcher)
        let client = try near.openDatagramSocket(
            on: SocketAddress(host: "10.0.0.2", port: 0), handler: Catcher())
        for index in 0..<200 as Range<UInt8> {
            let bytes = [UInt8](repeating: index, count: Int(index) + 1)
            client.send(bytes: bytes, to: server.address)
        }
        network.run(for: .seconds(1))
        #expect((100..<200).contains(catcher.received.count), "seed \(seed)")
        #expect(
            catcher.received.allSatisfy { bytes in
                bytes.count == Int(bytes[0]) + 1 && bytes.allSatisfy { $0 == bytes[0] }
            }, "seed \(seed)")
        #expect(Set(catcher.received).count == catcher.received.count, "seed \(seed)")
    }

    @Test(arguments: DriverKind.kernels)
    func `Unix datagrams go by abstract names and by paths`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let far = Catcher()
        far.echoes = true
        let path = "/tmp/netpoll-\(UInt64.random(in: 0...(.max)))"
        defer { removeFile(path) }
        for server in [SocketAddress.unix(path: path), .abstract("netpoll-\(path)")] {
            let near = Catcher()
            let listening = try world.loop.openDatagramSocket(on: server, handler: far)
            let client = try world.loop.openDatagramSocket(
                on: .abstract("client-\(path)"), handler: near)
            client.send(bytes: [1, 2, 3], to: listening.address)
            #expect(world.run { near.received == [[1, 2, 3]] })
            #expect(near.arrivals.first?.source == server)
            client.close()
            listening.close()
        }
    }

    /// The kernel writes no address for it, into memory that another socket's senders were named in.
    @Test(arguments: DriverKind.kernels)
    func `a sender without a name is not taken for one before it`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let (near, far) = (Catcher(), Catcher())
        let host = try SocketAddress(host: "127.0.0.1", port: 0)
        let named = try world.loop.openDatagramSocket(on: host, handler: near)
        let listening = try world.loop.openDatagramSocket(on: host, handler: near)
        named.send(bytes: [1], to: listening.address)
        #expect(world.run { near.received == [[1]] })

        let path = "/tmp/netpoll-\(UInt64.random(in: 0...(.max)))"
        defer { removeFile(path) }
        _ = try world.loop.openDatagramSocket(on: .unix(path: path), handler: far)
        #expect(sendWithoutName([2], to: path) == 1)
        #expect(world.run { far.received == [[2]] })
        #expect(far.arrivals.first?.source == .unix(path: ""))
    }
}

extension DatagramSocket {
    @discardableResult
    func send(bytes: [UInt8]) -> WriteOutcome { send(bytes.span.bytes) }

    @discardableResult
    func send(bytes: [UInt8], to destination: SocketAddress) -> WriteOutcome {
        send(bytes.span.bytes, to: destination)
    }
}
