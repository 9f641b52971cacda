import Glibc
import NetPoll
import Testing

@Suite("Unix sockets, on every driver", .timeLimit(.minutes(10)))
struct UnixSocketTests {
    private let path = "/tmp/netpoll-\(UInt64.random(in: 0...(.max)))"

    private func listen(
        _ world: any World, _ address: SocketAddress,
        _ configuration: Listener.Configuration = .init()
    ) throws -> Listener {
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        return try world.loop.listen(on: address, configuration: configuration) {
            recorders.make($0, $1)
        }
    }

    private func isEchoed(_ world: any World, by address: SocketAddress) -> Bool {
        let client = Recorder()
        client.onOpen = { $0.write(text: "x") }
        world.loop.connect(to: address) { result in
            if case .success(let connection) = result { connection.handler = client }
        }
        defer { client.connection?.abort() }
        return world.run { client.received == [UInt8(ascii: "x")] }
    }

    @Test(arguments: DriverKind.kernels)
    func `an abstract name is listened on and connected to`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let address = SocketAddress.abstract("netpoll \(path)")
        let listener = try listen(world, address)
        #expect(listener.address == address)
        #expect("\(address)" == "unix:@netpoll \(path)")
        #expect(isEchoed(world, by: address))
        #expect(throws: SystemError.self) { try listen(world, address) }
        listener.close()
        let again = try listen(world, address)
        #expect(isEchoed(world, by: again.address))
    }

    @Test(arguments: DriverKind.kernels)
    func `closing the listener removes its file, unless it shall stay`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let listener = try listen(world, .unix(path: path))
        #expect(fileExists(path))
        listener.close()
        #expect(!fileExists(path))
        var configuration = Listener.Configuration()
        configuration.removesSocketFile = false
        try listen(world, .unix(path: path), configuration).close()
        #expect(fileExists(path))
        removeFile(path)
    }

    /// It is a service manager's or a predecessor's.
    @Test(arguments: DriverKind.kernels)
    func `closing the listener leaves the file of a socket it adopted, unless it shall go`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let address = SocketAddress.unix(path: path)
        let other = try listen(world, address)
        func adopt(_ configuration: Listener.Configuration) throws -> Listener {
            let copy = try Platform.duplicate(other.descriptor)
            return try world.loop.listen(adopting: copy, configuration: configuration) { _, _ in
                Recorder()
            }
        }
        let adopted = try adopt(.init())
        #expect(adopted.address == address)
        adopted.close()
        #expect(fileExists(path))
        #expect(isEchoed(world, by: address))
        var configuration = Listener.Configuration()
        configuration.removesSocketFile = true
        try adopt(configuration).close()
        #expect(!fileExists(path))
        other.close()
    }

    @Test(arguments: DriverKind.kernels)
    func `a file left behind is replaced`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        var configuration = Listener.Configuration()
        configuration.removesSocketFile = false
        try listen(world, .unix(path: path), configuration).close()
        let listener = try listen(world, .unix(path: path))
        #expect(isEchoed(world, by: listener.address))
        listener.close()
    }

    @Test(arguments: DriverKind.kernels)
    func `a living listener's file is not taken over`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let listener = try listen(world, .unix(path: path))
        let error = #expect(throws: SystemError.self) { try listen(world, .unix(path: path)) }
        #expect(error?.code == Platform.Errno.addressInUse)
        #expect(isEchoed(world, by: listener.address))
        listener.close()
    }

    @Test(arguments: DriverKind.kernels)
    func `a file that is no socket is not removed`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        makeEmptyFile(path)
        defer { removeFile(path) }
        #expect(throws: SystemError.self) { try listen(world, .unix(path: path)) }
        #expect(fileExists(path))
    }

    @Test func `a path with a zero byte in it is refused, and so is one that is too long`() throws {
        let world = try DriverKind.system.makeWorld()
        for path in ["\(path)\0.other", String(repeating: "a", count: 108)] {
            #expect(throws: SystemError.self) { _ = try listen(world, .unix(path: path)) }
        }
        try listen(world, .unix(path: path)).close()
    }

    /// Paths that the kernel would cut to another socket's.
    private func badPaths() -> [(path: String, cut: String, code: Int32)] {
        let whole = path + String(repeating: "a", count: 107 - path.utf8.count)
        return [(whole + "b", whole, ENAMETOOLONG), (path + "\0b", path, EINVAL)]
    }

    @Test(arguments: DriverKind.kernels)
    func `datagrams for a path that is none go to nobody, and those beside them where they should`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        for (bad, cut, code) in badPaths() {
            let (near, far) = (Catcher(), Catcher())
            defer { removeFile(cut) }
            let server = try world.loop.openDatagramSocket(on: .unix(path: cut), handler: far)
            let client = try world.loop.openDatagramSocket(
                on: .abstract("client \(path) \(code)"), handler: near)
            client.send(bytes: [1], to: server.address)
            client.send(bytes: [2], to: .unix(path: bad))
            client.send(bytes: [3], to: server.address)
            #expect(world.run { far.received.count >= 2 && client.queuedDatagrams == 0 })
            #expect(far.received == [[1], [3]])
            #expect(near.errors.map(\.code) == [code])
            client.close()
            server.close()
        }
    }

    @Test(arguments: DriverKind.kernels)
    func `neither a datagram socket's peer nor the address to connect from may be such a path`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let listener = try listen(world, .abstract("netpoll \(path)"))
        for (bad, cut, code) in badPaths() {
            defer { removeFile(cut) }
            let server = try world.loop.openDatagramSocket(on: .unix(path: cut), handler: Catcher())
            var datagrams = DatagramSocket.Configuration()
            datagrams.peer = .unix(path: bad)
            let error = #expect(throws: SystemError.self) {
                _ = try world.loop.openDatagramSocket(
                    on: .abstract("client \(path)"), configuration: datagrams, handler: Catcher())
            }
            #expect(error?.code == code)
            server.close()
            removeFile(cut)
            var connecting = ConnectConfiguration()
            connecting.localAddress = .unix(path: bad)
            var reason: ConnectError.Reason?
            world.loop.connect(to: listener.address, configuration: connecting) { result in
                if case .failure(let error) = result { reason = error.reason }
                if case .success(let connection) = result { connection.abort() }
            }
            #expect(
                world.run {
                    if case .failed(let error) = reason { return error.code == code }
                    return false
                })
            #expect(!fileExists(cut))
        }
    }

    @Test(arguments: DriverKind.kernels)
    func `nobody behind a file is a refusal`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        var configuration = Listener.Configuration()
        configuration.removesSocketFile = false
        try listen(world, .unix(path: path), configuration).close()
        defer { removeFile(path) }
        var reason: ConnectError.Reason?
        world.loop.connect(to: .unix(path: path)) { result in
            if case .failure(let error) = result { reason = error.reason }
        }
        #expect(world.run { reason == .refused })
    }

    /// Reads what a passed descriptor leads to.
    private final class Receiver: ConnectionHandler {
        var events: [String] = []
        var isReceiving = true

        func opened(_ connection: Connection) {
            if isReceiving { connection.receiveDescriptors() }
        }

        func receivedDescriptor(_ descriptor: consuming PassedDescriptor, on connection: Connection)
        {
            events.append("file " + readAll(descriptor.take()))
        }

        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            bytes.bytes.withUnsafeBytes { bytes in
                for byte in bytes { events.append("byte \(byte)") }
            }
        }

        func closed(_ connection: Connection, reason: CloseReason) { events.append("\(reason)") }
    }

    /// A handler and a connection to it.
    private func connect(
        _ world: any World, to address: SocketAddress, _ receiver: Receiver
    ) throws -> Connection {
        let place = HandlerPlace(receiver)
        let listener = try world.loop.listen(on: address) { _, _ in place.handler }
        let client = Recorder()
        world.loop.connect(to: listener.address) { result in
            if case .success(let connection) = result { connection.handler = client }
        }
        let isOpen = world.run { client.connection != nil }
        #expect(isOpen)
        return try #require(client.connection)
    }

    @Test(arguments: DriverKind.allCases)
    func `descriptors are passed in order with what is written`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let receiver = Receiver()
        let connection = try connect(world, to: .abstract("netpoll \(path)"), receiver)
        let files = try ["one", "two"].map { try makeFile(Array($0.utf8)) }
        defer { withExtendedLifetime(files) {} }
        connection.write(bytes: [1])
        try connection.send(descriptor: files[0].descriptor, mark: 2)
        connection.write(bytes: [3])
        try connection.send(descriptor: files[1].descriptor, mark: 4)
        #expect(world.run { receiver.events.count == 6 })
        // The kernel may hand over the byte written before together with the descriptor.
        let order = receiver.events.filter { $0 != "byte 1" && $0 != "byte 3" }
        #expect(order == ["file one", "byte 2", "file two", "byte 4"])
        let bytes = receiver.events.filter { $0.hasPrefix("byte") }
        #expect(bytes == ["byte 1", "byte 2", "byte 3", "byte 4"])
    }

    @Test(arguments: DriverKind.allCases)
    func `who does not ask for descriptors gets the bytes alone`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let receiver = Receiver()
        receiver.isReceiving = false
        let connection = try connect(world, to: .abstract("netpoll \(path)"), receiver)
        let file = try makeFile([1])
        defer { withExtendedLifetime(file) {} }
        try connection.send(descriptor: file.descriptor, mark: 9)
        #expect(world.run { receiver.events == ["byte 9"] })
    }

    @Test(arguments: DriverKind.allCases)
    func `over TCP no descriptor is passed, and what is not open cannot be`(driver: DriverKind)
        throws
    {
        let world = try driver.makeWorld()
        let connection = try connect(
            world, to: SocketAddress(host: "127.0.0.1", port: 0), Receiver())
        #expect(throws: SystemError.self) { try connection.send(descriptor: -1) }
        let file = try makeFile([1])
        defer { withExtendedLifetime(file) {} }
        let outcome = try connection.send(descriptor: file.descriptor)
        #expect(outcome == .closed)
    }
}

/// Hands a test's handler to its listener.
///
/// `@unchecked Sendable`: the listener's closure runs in the test's own thread.
private final class HandlerPlace: @unchecked Sendable {
    let handler: any ConnectionHandler

    init(_ handler: any ConnectionHandler) { self.handler = handler }
}
