import Glibc
import NetPoll
import SystemCallFilter
import Testing

@Suite("The choice of a driver", .timeLimit(.minutes(10)))
struct DriverChoiceTests {
    @Test(arguments: [DriverChoice.automatic, .epoll, .ioUring])
    func `a group on each driver runs jobs of other threads and serves its connections`(
        choice: DriverChoice
    ) async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        configuration.driver = choice
        let group = try EventLoopGroup(configuration: configuration)
        #expect(group.fallbackReason == nil)
        let listener = try await group.listen(on: .v4(0x0100_007f, port: 0)) { _, _ in
            let recorder = Recorder()
            recorder.onReceive = { bytes, connection in connection.write(bytes.bytes) }
            return recorder
        }
        let ran = await withTaskGroup(of: Int.self) { tasks in
            for index in 0..<200 {
                tasks.addTask { await group.loops[index % 2].run { 1 } ?? 0 }
            }
            return await tasks.reduce(0, +)
        }
        #expect(ran == 200)
        let address = listener.address
        let echoed: [UInt8] = await withCheckedContinuation { continuation in
            group.loops[0].execute {
                group.loops[0].connect(to: address) { result in
                    guard case .success(let connection) = result else {
                        continuation.resume(returning: [])
                        return
                    }
                    let recorder = Recorder()
                    recorder.onReceive = { [unowned recorder] _, connection in
                        guard recorder.received.count == 3, connection.isOpen else { return }
                        continuation.resume(returning: recorder.received)
                        connection.close()
                    }
                    connection.handler = recorder
                    connection.write(bytes: [1, 2, 3])
                }
            }
        }
        #expect(echoed == [1, 2, 3])
        await group.shutdown()
    }

    @Test func `automatic is epoll on Linux`() throws {
        let (automatic, epoll) = (try Platform.makeDriver(), try Platform.makeDriver(.epoll))
        #expect(ObjectIdentifier(type(of: automatic)) == ObjectIdentifier(type(of: epoll)))
        let ring = try Platform.makeDriver(.ioUring)
        #expect(ObjectIdentifier(type(of: ring)) != ObjectIdentifier(type(of: epoll)))
        #expect(EventLoopGroup.Configuration().driver == .automatic)
    }

    @Test func `a driver that the system has not is refused with its reason`() {
        var configuration = EventLoopGroup.Configuration()
        configuration.driver = .kqueue
        let error = #expect(throws: SystemError.self) {
            _ = try EventLoopGroup(configuration: configuration)
        }
        #expect(error?.operation == "kqueue")
        #expect(error?.code == Platform.Errno.notSupported)
    }

    /// In a process of its own, which the filter binds for the rest of its life.
    @Test(arguments: [EPERM, ENOSYS])
    func `a kernel that forbids io_uring is a typed error`(code: Int32) async {
        await #expect(processExitsWith: .success) { [code] in
            let call = system_call_filter_io_uring_setup()
            try #require(system_call_filter_refuse(call, code) == 0)
            var configuration = EventLoopGroup.Configuration()
            configuration.driver = .ioUring
            let error = #expect(throws: SystemError.self) {
                _ = try EventLoopGroup(configuration: configuration)
            }
            #expect(error?.operation == "io_uring_setup")
            #expect(error?.code == code)
        }
    }

    /// A ring that can be made and not be used would be found out by the first wait, which traps.
    @Test(arguments: [EPERM, ENOSYS], [false, true])
    func `a kernel that lets rings be made and not be used is a typed error, or epoll`(
        code: Int32, forbidsEnter: Bool
    ) async {
        await #expect(processExitsWith: .success) { [code, forbidsEnter] in
            let call =
                forbidsEnter
                ? system_call_filter_io_uring_enter() : system_call_filter_io_uring_register()
            try #require(system_call_filter_refuse(call, code) == 0)
            var configuration = EventLoopGroup.Configuration()
            configuration.loops = 2
            configuration.driver = .ioUring
            let error = #expect(throws: SystemError.self) {
                _ = try EventLoopGroup(configuration: configuration)
            }
            let operation = forbidsEnter ? "io_uring_enter" : "io_uring_register buffers"
            #expect(error?.operation == operation)
            #expect(error?.code == code)
            configuration.driverFallback = .automatic
            let group = try EventLoopGroup(configuration: configuration)
            #expect(group.fallbackReason == error)
            let ran = await group.loops[1].run { true }
            #expect(ran == true)
            await group.shutdown()
        }
    }

    @Test func `where io_uring is forbidden a group may use epoll, and a line says so`()
        async throws
    {
        let result = await #expect(
            processExitsWith: .success, observing: [\.standardErrorContent]
        ) {
            let call = system_call_filter_io_uring_setup()
            try #require(system_call_filter_refuse(call, EPERM) == 0)
            var configuration = EventLoopGroup.Configuration()
            configuration.loops = 2
            configuration.driver = .ioUring
            configuration.driverFallback = .automatic
            let group = try EventLoopGroup(configuration: configuration)
            #expect(group.fallbackReason?.code == EPERM)
            let ran = await group.loops[1].run { true }
            #expect(ran == true)
            await group.shutdown()
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        let line =
            "NetPoll: no ioUring driver (io_uring_setup: Operation not permitted), "
            + "using the automatic one\n"
        #expect(text.contains(line))
        #expect(text.ranges(of: "NetPoll: no").count == 1, "once, however many loops")
    }

    @Test func `a group may fall back and tells why`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        configuration.driver = .kqueue
        configuration.driverFallback = .automatic
        let group = try EventLoopGroup(configuration: configuration)
        #expect(group.fallbackReason?.operation == "kqueue")
        let ran = await group.loops[1].run { true }
        #expect(ran == true)
        await group.shutdown()
    }
}
