import NetPoll
import Testing

@Suite("Unix sockets", .timeLimit(.minutes(1)))
struct UnixSocketTests {
    private let world: any World
    private let path = "/tmp/netpoll-\(UInt64.random(in: 0...(.max)))"

    init() throws {
        world = try DriverKind.system.makeWorld()
    }

    private func listen(
        _ address: SocketAddress, _ configuration: Listener.Configuration = .init()
    ) throws -> Listener {
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        return try world.loop.listen(on: address, configuration: configuration) {
            recorders.make($0, $1)
        }
    }

    private func isEchoed(by address: SocketAddress) -> Bool {
        let client = Recorder()
        client.onOpen = { $0.write(text: "x") }
        world.loop.connect(to: address) { result in
            if case .success(let connection) = result { connection.handler = client }
        }
        defer { client.connection?.abort() }
        return world.run { client.received == [UInt8(ascii: "x")] }
    }

    @Test func `an abstract name is listened on and connected to`() throws {
        let address = SocketAddress.abstract("netpoll \(path)")
        let listener = try listen(address)
        #expect(listener.address == address)
        #expect("\(address)" == "unix:@netpoll \(path)")
        #expect(isEchoed(by: address))
        #expect(throws: SystemError.self) { try listen(address) }
        listener.close()
        let again = try listen(address)
        #expect(isEchoed(by: again.address))
    }

    @Test func `closing the listener removes its file, unless it shall stay`() throws {
        let listener = try listen(.unix(path: path))
        #expect(fileExists(path))
        listener.close()
        #expect(!fileExists(path))
        var configuration = Listener.Configuration()
        configuration.removesSocketFile = false
        try listen(.unix(path: path), configuration).close()
        #expect(fileExists(path))
        removeFile(path)
    }

    @Test func `a file left behind is replaced`() throws {
        var configuration = Listener.Configuration()
        configuration.removesSocketFile = false
        try listen(.unix(path: path), configuration).close()
        let listener = try listen(.unix(path: path))
        #expect(isEchoed(by: listener.address))
        listener.close()
    }

    @Test func `a living listener's file is not taken over`() throws {
        let listener = try listen(.unix(path: path))
        let error = #expect(throws: SystemError.self) { try listen(.unix(path: path)) }
        #expect(error?.code == Platform.Errno.addressInUse)
        #expect(isEchoed(by: listener.address))
        listener.close()
    }

    @Test func `a file that is no socket is not removed`() throws {
        makeEmptyFile(path)
        defer { removeFile(path) }
        #expect(throws: SystemError.self) { try listen(.unix(path: path)) }
        #expect(fileExists(path))
    }

    @Test func `nobody behind a file is a refusal`() throws {
        var configuration = Listener.Configuration()
        configuration.removesSocketFile = false
        try listen(.unix(path: path), configuration).close()
        defer { removeFile(path) }
        var reason: ConnectError.Reason?
        world.loop.connect(to: .unix(path: path)) { result in
            if case .failure(let error) = result { reason = error.reason }
        }
        #expect(world.run { reason == .refused })
    }
}
