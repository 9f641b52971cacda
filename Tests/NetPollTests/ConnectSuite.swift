import NetPoll
import NetPollTesting
import Testing

@Suite("Outgoing connections, on every driver", .timeLimit(.minutes(10)))
struct ConnectSuite {
    private func listen(
        _ world: any World, on host: String = "127.0.0.1", _ recorders: Recorders
    ) throws -> Listener {
        try world.loop.listen(on: SocketAddress(host: host, port: 0)) { recorders.make($0, $1) }
    }

    @Test(arguments: DriverKind.allCases, ["127.0.0.1", "::1"])
    func `a connection to our own listener carries bytes both ways`(
        driver: DriverKind, host: String
    ) throws {
        let world = try driver.makeWorld()
        let servers = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let address = try listen(world, on: host, servers).address
        let client = Recorder()
        client.onOpen = { $0.write(text: "hello") }
        var isInside = true
        world.loop.connect(to: address) { result in
            #expect(!isInside, "the completion is not called from within connect")
            if case .success(let connection) = result { connection.handler = client }
        }
        isInside = false
        #expect(world.run { client.received == Array("hello".utf8) })
        #expect(world.loop.metrics.connected == 1)
        // Listener, accepted and connected side; the attempt's slot is free.
        #expect(world.loop.registrations == 3)
        client.connection?.close()
        #expect(world.run { client.closeReason == .local })
        #expect(world.run { servers.all.first?.closeReason == .peer })
        #expect(world.loop.registrations == 1)
    }

    @Test(arguments: DriverKind.allCases)
    func `where nothing listens the connection is refused`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let listener = try listen(world, Recorders())
        listener.close()
        var error: ConnectError?
        world.loop.connect(to: listener.address) { result in
            if case .failure(let failure) = result { error = failure }
        }
        #expect(world.run { error != nil })
        #expect(error == ConnectError(.refused, to: listener.address))
        #expect(world.loop.metrics.connectFailures == 1)
        #expect(world.loop.registrations == 0)
        #expect(world.loop.nextTimer == nil, "the deadline is disarmed")
    }

    @Test(arguments: DriverKind.allCases)
    func `a cancelled attempt fails at once and leaves nothing`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let servers = Recorders()
        let address = try listen(world, servers).address
        var reasons: [ConnectError.Reason] = []
        let attempt = world.loop.connect(to: address) { result in
            if case .failure(let failure) = result { reasons.append(failure.reason) }
        }
        attempt.cancel()
        attempt.cancel()
        #expect(reasons == [.cancelled])
        #expect(world.loop.registrations == 1)
        // What the listener accepted of it ends by itself.
        #expect(world.run { world.loop.registrations == 1 })
    }

    @Test(arguments: DriverKind.allCases)
    func `a local address decides where the connection comes from`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let servers = Recorders()
        let address = try listen(world, servers).address
        var configuration = ConnectConfiguration()
        configuration.localAddress = try SocketAddress(host: "127.0.0.7", port: 0)
        let client = Recorder()
        world.loop.connect(to: address, configuration: configuration) { result in
            if case .success(let connection) = result { connection.handler = client }
        }
        #expect(world.run { servers.addresses.first?.host == "127.0.0.7" })
        #expect(servers.addresses.first?.port != 0)
    }

    @Test(arguments: DriverKind.kernels)
    func `a local address of another machine is refused by the kernel`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let address = try listen(world, Recorders()).address
        var configuration = ConnectConfiguration()
        configuration.localAddress = try SocketAddress(host: "192.0.2.1", port: 0)
        var reason: ConnectError.Reason?
        world.loop.connect(to: address, configuration: configuration) { result in
            if case .failure(let failure) = result { reason = failure.reason }
        }
        #expect(reason == nil)
        #expect(world.run { reason != nil })
        guard case .failed(let error) = reason else {
            Issue.record("bound to an address that is not ours: \(String(describing: reason))")
            return
        }
        #expect(error.code == Platform.Errno.addressNotAvailable)
        #expect(world.loop.registrations == 1)
    }

    @Test(arguments: DriverKind.kernels)
    func `a Unix socket's path is connected to`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let path = "/tmp/netpoll-\(UInt64.random(in: 0...(.max)))"
        defer { removeFile(path) }
        let servers = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let listener = try world.loop.listen(on: .unix(path: path)) { servers.make($0, $1) }
        let client = Recorder()
        client.onOpen = { $0.write(text: "here") }
        world.loop.connect(to: listener.address) { result in
            if case .success(let connection) = result { connection.handler = client }
        }
        #expect(world.run { client.received == Array("here".utf8) })
    }

    @Test func `an attempt that nobody answers ends at its deadline`() throws {
        let world = SimulatedWorld(configuration: .init())
        let address = try SocketAddress(host: "203.0.113.9", port: 80)
        world.network.setRoute(.blackHole, to: address)
        var configuration = ConnectConfiguration()
        configuration.timeout = .seconds(30)
        var (reason, end) = (ConnectError.Reason?.none, Instant?.none)
        let start = world.loop.now
        world.loop.connect(to: address, configuration: configuration) { result in
            if case .failure(let failure) = result { reason = failure.reason }
            end = world.loop.now
        }
        world.network.run(for: .milliseconds(29_990))
        #expect(reason == nil)
        world.network.run(for: .milliseconds(20))
        #expect(reason == .timedOut)
        #expect(end.map { $0 - start >= .seconds(30) } == true)
        #expect(world.network.openDescriptors == 0)
        #expect(world.loop.registrations == 0)
    }

    @Test func `routes delay, refuse and lead nowhere`() throws {
        let world = SimulatedWorld(configuration: .init())
        let address = try listen(world, Recorders()).address
        func outcome(_ route: Route) -> (String, Duration) {
            world.network.setRoute(route, to: address)
            let start = world.network.now
            var text = ""
            world.loop.connect(to: address) { result in
                switch result {
                case .success(let connection):
                    text = "connected"
                    connection.abort()
                case .failure(let error): text = "\(error.reason)"
                }
            }
            #expect(world.network.run(within: .seconds(60)) { text != "" })
            return (text, world.network.now - start)
        }
        #expect(outcome(.open) == ("connected", .zero))
        #expect(outcome(.delayed(.milliseconds(70))) == ("connected", .milliseconds(70)))
        #expect(outcome(.refused) == ("refused", .zero))
        #expect(outcome(.unreachable) == ("unreachable", .zero))
    }

    @Test func `loops of one network connect to each other`() throws {
        let network = SimulatedNetwork(seed: 7)
        let (near, far) = (network.makeLoop(), network.makeLoop())
        let servers = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let listener = try far.listen(on: SocketAddress(host: "10.0.0.1", port: 80)) {
            servers.make($0, $1)
        }
        let clients = (0..<100).map { _ in Recorder() }
        for (index, client) in clients.enumerated() {
            client.onOpen = { $0.write(text: "\(index)") }
            near.connect(to: listener.address) { result in
                if case .success(let connection) = result { connection.handler = client }
            }
        }
        #expect(
            network.run(within: .seconds(5)) {
                clients.indices.allSatisfy { clients[$0].received == Array("\($0)".utf8) }
            })
        #expect(servers.all.count == 100)
        for client in clients { client.connection?.close() }
        network.runUntilIdle()
        #expect(clients.allSatisfy { $0.closeReason == .local })
        #expect(network.openDescriptors == 1)
    }

    @Test func `a full backlog makes the client ask again`() throws {
        let network = SimulatedNetwork(seed: 7)
        let (near, far) = (network.makeLoop(), network.makeLoop())
        var configuration = Listener.Configuration()
        configuration.backlog = 1
        configuration.exhaustion = .pause(.milliseconds(300))
        let recorders = Recorders()
        let listener = try far.listen(
            on: SocketAddress(host: "10.0.0.1", port: 80), configuration: configuration
        ) { recorders.make($0, $1) }
        var count = 0
        for _ in 0..<3 {
            near.connect(to: listener.address) { result in
                if case .success = result { count += 1 }
            }
        }
        #expect(network.run(within: .seconds(5)) { count == 3 })
        #expect(network.now - Instant(nanoseconds: 1_000_000_000) >= .seconds(1))
    }

    @Test func `a shut down loop ends its attempts and takes no new ones`() throws {
        let world = SimulatedWorld(configuration: .init())
        let address = try SocketAddress(host: "203.0.113.9", port: 80)
        world.network.setRoute(.blackHole, to: address)
        var reasons: [ConnectError.Reason] = []
        func connect() {
            world.loop.connect(to: address) { result in
                if case .failure(let failure) = result { reasons.append(failure.reason) }
            }
        }
        connect()
        world.loop.shutDown()
        #expect(reasons == [.shutdown])
        connect()
        world.network.runUntilIdle()
        #expect(reasons == [.shutdown, .shutdown])
        #expect(world.network.openDescriptors == 0)
    }
}
