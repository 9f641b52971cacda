import Glibc
import NetPoll
import Testing

@Suite("Listening sockets of others", .timeLimit(.minutes(10)))
struct AdoptingTests {
    private let any = SocketAddress.v4(0x0100_007f, port: 0)

    /// Answers with its name, and echoes.
    private static func recorders(_ name: String) -> Recorders {
        Recorders {
            $0.onOpen = { $0.write(text: name) }
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
    }

    /// A successor's side: takes the descriptors that its predecessor passes.
    private final class Heir: ConnectionHandler {
        var descriptors: [Int32] = []

        func opened(_ connection: Connection) { connection.receiveDescriptors() }

        func receivedDescriptor(_ descriptor: consuming PassedDescriptor, on connection: Connection)
        { descriptors.append(descriptor.take()) }

        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {}
    }

    /// `@unchecked Sendable`: the listener's closure runs in the test's own thread.
    private final class HeirPlace: @unchecked Sendable {
        let heir = Heir()
    }

    @Test func `a group that is to adopt nothing throws`() async throws {
        let group = try EventLoopGroup()
        let error = await #expect(throws: SystemError.self) {
            _ = try await group.listen(adopting: [])
        }
        #expect(error?.code == EINVAL)
        await group.shutdown()
    }

    @Test(arguments: DriverKind.kernels)
    func `a listener is handed to a successor and nobody is refused`(driver: DriverKind) throws {
        let (old, new) = (try driver.makeWorld(), try driver.makeWorld())
        let (before, after) = (Self.recorders("old"), Self.recorders("new"))
        let listener = try old.loop.listen(on: any) { before.make($0, $1) }
        let address = listener.address
        let first = try #require(old.connect(to: address))
        #expect(old.run { first.text == "old" })

        // The successor listens on a name of its own for what it is to take over.
        let place = HeirPlace()
        let way = try new.loop.listen(
            on: .abstract("netpoll \(UInt64.random(in: 0...(.max)))")
        ) { _, _ in place.heir }
        let sender = Recorder()
        old.loop.connect(to: way.address) { result in
            if case .success(let connection) = result { connection.handler = sender }
        }
        func run(_ condition: () -> Bool) -> Bool {
            old.run {
                new.loop.turn(until: new.loop.now)
                return condition()
            }
        }
        #expect(run { sender.connection != nil })
        try sender.connection?.send(descriptor: listener.descriptor)
        #expect(run { place.heir.descriptors.count == 1 })
        let passed = try #require(place.heir.descriptors.first)
        let adopted = try new.loop.listen(adopting: passed) { after.make($0, $1) }
        #expect(adopted.address == address)

        listener.close()
        let clients = (0..<10).compactMap { _ in old.connect(to: address) }
        #expect(clients.count == 10, "the port is never closed")
        #expect(run { clients.allSatisfy { $0.text == "new" } })
        // The predecessor goes on serving those it has.
        first.send(Array("!".utf8))
        #expect(run { first.text == "old!" })
        clients[0].send(Array("?".utf8))
        #expect(run { clients[0].text == "new?" })
    }

    @Test(arguments: DriverKind.kernels)
    func `a closed listener is told nothing of the clients that another's duplicate gets`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let recorders = Recorders()
        let listener = try world.loop.listen(on: any) { recorders.make($0, $1) }
        world.loop.turn(until: world.loop.now)
        let other = dup(listener.descriptor)
        defer { close(other) }
        listener.close()
        // It waits in the backlog, for whoever has the duplicate.
        let client = world.connect(to: listener.address)
        #expect(client != nil)
        for _ in 0..<20 { world.loop.turn(until: world.loop.now) }
        let metrics = world.loop.metrics
        #expect(metrics.staleEvents == 0 && metrics.accepted == 0)
        let waits = accept(other, nil, nil)
        #expect(waits >= 0)
        close(waits)
    }

    @Test(arguments: DriverKind.kernels)
    func `what is no listening stream socket is not adopted, and stays the caller's`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        let file = open("/dev/null", O_RDONLY)
        let stream = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        for (descriptor, code) in [
            (file, ENOTSOCK), (stream, EINVAL), (datagrams, EINVAL), (-1, EBADF),
        ] {
            let error = #expect(throws: SystemError.self) {
                try world.loop.listen(adopting: descriptor) { _, _ in Recorder() }
            }
            #expect(error?.code == code, "\(descriptor)")
        }
        #expect(world.loop.registrations == 0)
        for descriptor in [file, stream, datagrams] { #expect(close(descriptor) == 0) }
    }

    @Test func `a group adopts one socket for all its loops, and passes its own on`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        let (old, new) = (
            try EventLoopGroup(configuration: configuration),
            try EventLoopGroup(configuration: configuration)
        )
        let first = try await old.listen(on: any) { _, _ in Recorder() }
        let descriptors = await first.descriptors()
        #expect(descriptors.count == 2)
        let copies = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 0) }
        let heir = try await new.listen(adopting: copies) { _, _ in Recorder() }
        #expect(heir.address == first.address)
        await first.close()
        let single = try await new.listen(adopting: [fcntl(copies[0], F_DUPFD_CLOEXEC, 0)])
        #expect(single.address == first.address)
        single.close()
        let error = await #expect(throws: SystemError.self) {
            _ = try await new.listen(adopting: [-1]) { _, _ in Recorder() }
        }
        #expect(error?.code == EBADF)
        await old.shutdown()
        await new.shutdown()
        // Shutting down closes them: their port can be had again.
        let next = try EventLoopGroup()
        let again = try await next.listen(on: first.address) { _, _ in Recorder() }
        #expect(again.address == first.address)
        await next.shutdown()
    }

    /// In a process of its own, for the environment is the process's.
    @Test func `a service manager's sockets are taken once, with their names`() async {
        await #expect(processExitsWith: .success) {
            let world = try DriverKind.system.makeWorld()
            let listener = try world.loop.listen(on: .v4(0x0100_007f, port: 0)) { _, _ in Recorder()
            }
            let passed: Int32 = 200
            for offset in 0..<2 as Range<Int32> { dup2(listener.descriptor, passed + offset) }
            listener.close()
            let found = try SocketActivation.descriptors(
                process: "\(getpid())", count: "2", names: "web:", first: passed)
            #expect(found.map(\.descriptor) == [200, 201])
            #expect(found.map(\.name) == ["web", ""])
            #expect(fcntl(200, F_GETFD) == FD_CLOEXEC)
            let recorders = Recorders { $0.onOpen = { $0.write(text: "here") } }
            try world.loop.listen(adopting: 200) { recorders.make($0, $1) }
            let client = try #require(world.connect(to: listener.address))
            #expect(world.run { client.text == "here" })

            setenv("LISTEN_PID", "\(getpid())", 1)
            setenv("LISTEN_FDS", "0", 1)
            #expect(try SocketActivation.takeDescriptors().isEmpty)
            #expect(getenv("LISTEN_FDS") == nil && getenv("LISTEN_PID") == nil)
        }
    }

    /// In a process of its own, whose descriptor 3 is put aside meanwhile.
    @Test func `descriptor 3 is taken as a service manager passes it, and served`() async {
        await #expect(processExitsWith: .success) {
            let world = try DriverKind.system.makeWorld()
            let listener = try world.loop.listen(on: .v4(0x0100_007f, port: 0)) { _, _ in Recorder()
            }
            setenv("LISTEN_PID", "\(getpid())", 1)
            setenv("LISTEN_FDS", "1", 1)
            setenv("LISTEN_FDNAMES", "web", 1)
            let aside = fcntl(3, F_DUPFD_CLOEXEC, 100)
            dup2(listener.descriptor, 3)
            let taken = Result { try SocketActivation.takeDescriptors() }
            let again = Result { try SocketActivation.takeDescriptors() }
            let flags = fcntl(3, F_GETFD)
            let moved = fcntl(3, F_DUPFD_CLOEXEC, 200)
            if aside >= 0 { dup2(aside, 3) } else { close(3) }
            let found = try taken.get()
            #expect(found.map(\.descriptor) == [3] && found.map(\.name) == ["web"])
            #expect(try again.get().isEmpty, "a second call takes nothing again")
            #expect(flags == FD_CLOEXEC)
            for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
                #expect(getenv(name) == nil, "\(name)")
            }
            listener.close()
            let recorders = Recorders { $0.onOpen = { $0.write(text: "here") } }
            try world.loop.listen(adopting: moved) { recorders.make($0, $1) }
            let client = try #require(world.connect(to: listener.address))
            #expect(world.run { client.text == "here" })
        }
    }

    @Test func `variables of another process, or that make no sense, are told apart`() throws {
        func take(_ process: String?, _ count: String?) throws(SystemError) -> Int {
            try SocketActivation.descriptors(
                process: process, count: count, names: nil, first: 4_000
            ).count
        }
        #expect(try take(nil, nil) == 0)
        #expect(try take("1", "3") == 0)
        for (process, count) in [("me", "1"), ("\(getpid())", "-1"), ("\(getpid())", "many")] {
            let error = #expect(throws: SystemError.self) { _ = try take(process, count) }
            #expect(error?.code == EINVAL)
        }
        let error = #expect(throws: SystemError.self) { _ = try take("\(getpid())", "1") }
        #expect(error?.code == EBADF)
    }

    @Test(arguments: DriverKind.kernels)
    func `socket options are those that were asked for`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        func option(_ connection: Connection?, _ level: Int32, _ name: Int32) -> Int32 {
            var value: Int32 = -1
            var length = socklen_t(4)
            getsockopt(connection?.descriptor ?? -1, level, name, &value, &length)
            return value
        }
        let tcp = Int32(IPPROTO_TCP)
        for (noDelay, keepsAlive) in [(true, true), (false, false)] {
            var options = SocketOptions()
            options.noDelay = noDelay
            if keepsAlive {
                options.keepAlive = .init(
                    idle: .seconds(33), interval: .milliseconds(6_500), probesMax: 4)
            }
            var listening = Listener.Configuration()
            listening.options = options
            var connecting = ConnectConfiguration()
            connecting.options = options
            let recorders = Recorders()
            let address = try world.loop.listen(on: any, configuration: listening) {
                recorders.make($0, $1)
            }.address
            let client = Recorder()
            world.loop.connect(to: address, configuration: connecting) { result in
                if case .success(let connection) = result { connection.handler = client }
            }
            #expect(
                world.run { client.connection != nil && recorders.all.first?.connection != nil })
            for connection in [client.connection, recorders.all.first?.connection] {
                #expect((option(connection, tcp, TCP_NODELAY) != 0) == noDelay)
                #expect((option(connection, SOL_SOCKET, SO_KEEPALIVE) != 0) == keepsAlive)
                guard keepsAlive else { continue }
                #expect(option(connection, tcp, TCP_KEEPIDLE) == 33)
                #expect(option(connection, tcp, TCP_KEEPINTVL) == 7, "whole seconds, rounded up")
                #expect(option(connection, tcp, TCP_KEEPCNT) == 4)
            }
        }
    }
}
