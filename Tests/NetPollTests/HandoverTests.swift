import Glibc
import LoopbackClient
import NetPoll
import Synchronization
import Testing

@Suite("Handing listening sockets to a successor", .timeLimit(.minutes(10)))
struct HandoverTests {
    private let any = SocketAddress.v4(0x0100_007f, port: 0)
    private let path = "/tmp/netpoll-handover-\(UInt64.random(in: 0...(.max)))"
    /// Never tells anything.
    private let never = AsyncStream<Void>.makeStream()

    private func group() throws -> EventLoopGroup {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        return try EventLoopGroup(configuration: configuration)
    }

    private func waitForNothing() async {
        for await _ in never.stream {}
    }

    @Test func `a successor gets all sockets, when its predecessor lets go`() async throws {
        let (old, new) = (try group(), try group())
        let listeners = try await old.listen(on: any) { _, _ in Recorder() }
        let handover = try await ListenerHandover.offer(at: path, on: old) {
            await listeners.descriptors()
        }
        let order = Mutex<[String]>([])
        async let inherited = {
            let sockets = try await ListenerHandover.inherit(from: path, on: new)
            order.withLock { $0.append("inherited") }
            return sockets
        }()
        let isPassed = await handover.passed { await waitForNothing() }
        #expect(isPassed)
        await listeners.close()
        let port = try #require(listeners.address.port)
        let waiting = LoopbackClient(port: port)
        #expect(waiting != nil, "the port is never closed")
        order.withLock { $0.append("end") }
        await handover.end()
        let sockets = try await inherited
        #expect(sockets.count == 2)
        #expect(order.withLock { $0 } == ["end", "inherited"])
        let heir = try await new.listen(adopting: sockets) { _, _ in Recorder() }
        #expect(heir.address == listeners.address)
        // The path is the successor's now.
        let next = try await ListenerHandover.offer(at: path, on: new) { [] }
        await next.end()
        await old.shutdown()
        await new.shutdown()
    }

    /// What clients met.
    private final class Tally: Sendable {
        let served = Atomic(0)
        let lost = Mutex<[String]>([])
        let isOver = Atomic(false)
    }

    /// Answers each read.
    private final class Answer: ConnectionHandler {
        func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
            connection.write(bytes.bytes)
        }
    }

    @Test(arguments: [DriverChoice.epoll, .ioUring])
    func `no client that connects while sockets pass from server to server is cut off`(
        driver: DriverChoice
    ) async throws {
        var configuration = EventLoopGroup.Configuration()
        (configuration.loops, configuration.driver) = (2, driver)
        // So that some that the kernel has accepted always wait to be served.
        configuration.loop.acceptsPerTurnMax = 1
        var server = try EventLoopGroup(configuration: configuration)
        var listeners = try await server.listen(on: any) { _, _ in Answer() }
        let address = listeners.address
        let clients = try group()
        let tally = Tally()
        try await withThrowingDiscardingTaskGroup { asking in
            for index in 0..<16 {
                asking.addTask {
                    while !tally.isOver.load(ordering: .relaxed) {
                        do {
                            let isAnswered = try await clients.loops[index % 2].withConnection(
                                to: address
                            ) { connection in
                                try await connection.write("?")
                                for try await _ in connection.inbound { return true }
                                return false
                            }
                            if isAnswered {
                                tally.served.add(1, ordering: .relaxed)
                            } else {
                                tally.lost.withLock { $0.append("ended") }
                            }
                        } catch {
                            tally.lost.withLock { $0.append("\(error)") }
                        }
                    }
                }
            }
            for round in 1...20 {
                while tally.served.load(ordering: .relaxed) < round * 50 { await Task.yield() }
                let successor = try EventLoopGroup(configuration: configuration)
                let sockets = await listeners.descriptors().map { dup($0) }
                let heirs = try await successor.listen(adopting: sockets) { _, _ in Answer() }
                await listeners.close()
                // Whoever was accepted is served to the end, which each client brings about.
                for loop in server.loops {
                    while await loop.run({ loop.registrations }) != 0 {}
                }
                await server.shutdown()
                (server, listeners) = (successor, heirs)
            }
            tally.isOver.store(true, ordering: .relaxed)
        }
        #expect(tally.lost.withLock { $0 } == [])
        await server.shutdown()
        await clients.shutdown()
    }

    @Test func `what is no listening socket is passed to nobody`() async throws {
        let (old, new) = (try group(), try group())
        let plain = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(plain) }
        let handover = try await ListenerHandover.offer(at: path, on: old) { [plain] }
        let error = await #expect(throws: SystemError.self) {
            _ = try await ListenerHandover.inherit(from: path, on: new)
        }
        #expect(error?.code == EBUSY)
        await handover.end()
        await old.shutdown()
        await new.shutdown()
    }

    @Test func `who comes while a server ends waits for that, and inherits nothing`() async throws {
        let (old, new) = (try group(), try group())
        let isAsked = AsyncStream<Void>.makeStream()
        let handover = try await ListenerHandover.offer(at: path, on: old) {
            isAsked.continuation.yield()
            return []
        }
        let isPassed = await handover.passed {}
        #expect(!isPassed)
        async let inherited = ListenerHandover.inherit(from: path, on: new)
        for await _ in isAsked.stream { break }
        await handover.end()
        let sockets = try await inherited
        #expect(sockets.isEmpty)
        await old.shutdown()
        await new.shutdown()
    }

    @Test func `who connected before the end and asks after it does not wait`() async throws {
        let (old, new) = (try group(), try group())
        let handover = try await ListenerHandover.offer(at: path, on: old) { [] }
        var configuration = ConnectConfiguration()
        configuration.limits.idleTimeout = .seconds(5)
        let late = try await Connection.connect(
            to: .unix(path: path), on: new.loops[0], configuration: configuration)
        // The second of these turns begins when the connection waits already.
        for _ in 0..<2 { await old.loops[0].run {} }
        await handover.end()
        let question: [UInt8] = [1]
        try await late.write(question.span.bytes)
        let answer = try await late.inbound.first { _ in true }
        #expect(answer == nil, "an end of file, within the time")
        await late.close()
        await old.shutdown()
        await new.shutdown()
    }

    /// A successor that leaves too early.
    private final class Leaving: Sendable {
        private let state = Mutex<AsyncConnection?>(nil)

        var connection: AsyncConnection? {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }

        func awaitEnd() async {
            guard let connection else { return }
            do {
                for try await _ in connection.inbound {}
            } catch {
                // A reset is an end as well.
                return
            }
        }
    }

    @Test func `a successor that is gone when the sockets are passed is none`() async throws {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 1
        let (old, new) = (try EventLoopGroup(configuration: configuration), try group())
        let listeners = try await old.listen(on: any) { _, _ in Recorder() }
        let leaving = Leaving()
        let handover = try await ListenerHandover.offer(at: path, on: old) {
            let sockets = await listeners.descriptors()
            guard let connection = leaving.connection else { return sockets }
            // The loop is held up until the sockets may be passed, so that in one turn it hears that
            // the successor ended, and passes them.
            let isHeld = AsyncStream<Void>.makeStream()
            let loop = old.loops[0]
            loop.execute {
                isHeld.continuation.yield()
                while !loop.hasWork {}
            }
            for await _ in isHeld.stream { break }
            connection.closeWrite()
            for _ in 0..<2 { await connection.loop.run {} }
            return sockets
        }
        let connection = try await Connection.connect(to: .unix(path: path), on: new.loops[0])
        leaving.connection = connection
        let question: [UInt8] = [1]
        try await connection.write(question.span.bytes)
        let isPassed = await handover.passed {
            // Ends after the sockets would have been passed.
            await leaving.awaitEnd()
        }
        #expect(!isPassed)
        await handover.end()
        await connection.close()
        await old.shutdown()
        await new.shutdown()
    }

    @Test func `who finds nobody at the path inherits nothing`() async throws {
        let group = try group()
        #expect(try await ListenerHandover.inherit(from: path, on: group).isEmpty)
        // Nor where a crash has left the file.
        let listener = try await group.listen(on: .unix(path: path)) { _, _ in Recorder() }
        let copy = path + ".left"
        #expect(rename(path, copy) == 0)
        await listener.close()
        #expect(try await ListenerHandover.inherit(from: copy, on: group).isEmpty)
        unlink(copy)
        let error = await #expect(throws: SystemError.self) {
            _ = try await ListenerHandover.inherit(
                from: "/" + String(repeating: "x", count: 200), on: group)
        }
        #expect(error?.code == ENAMETOOLONG)
        await group.shutdown()
    }

    @Test func `something else may come first, and a server without sockets passes none`()
        async throws
    {
        let (old, new) = (try group(), try group())
        let handover = try await ListenerHandover.offer(at: path, on: old) { [] }
        let refusal = await #expect(throws: SystemError.self) {
            _ = try await ListenerHandover.inherit(from: path, on: new)
        }
        #expect(refusal?.code == EBUSY, "whoever lives on is no predecessor")
        let isPassed = await handover.passed {}
        #expect(!isPassed)
        let error = await #expect(throws: SystemError.self) {
            _ = try await ListenerHandover.offer(at: path, on: new) { [] }
        }
        #expect(error?.code == EADDRINUSE)
        await handover.end()
        await old.shutdown()
        await new.shutdown()
    }

    @Test func `a second successor, and who asks in another way, get nothing`() async throws {
        let (old, new) = (try group(), try group())
        let listeners = try await old.listen(on: any) { _, _ in Recorder() }
        let handover = try await ListenerHandover.offer(at: path, on: old) {
            await listeners.descriptors()
        }
        // Being reset is as good as being closed.
        let isAnswered = try? await new.loops[0].withConnection(to: .unix(path: path)) {
            connection in
            try await connection.write("me")
            for try await _ in connection.inbound { return true }
            return false
        }
        #expect(isAnswered != true)
        async let first = ListenerHandover.inherit(from: path, on: new)
        let isPassed = await handover.passed { await waitForNothing() }
        #expect(isPassed)
        let refusal = await #expect(throws: SystemError.self) {
            _ = try await ListenerHandover.inherit(from: path, on: new)
        }
        #expect(refusal?.code == EBUSY)
        await handover.end()
        let sockets = try await first
        #expect(sockets.count == 2)
        for socket in sockets { close(socket) }
        await old.shutdown()
        await new.shutdown()
    }

    @Test(arguments: [true, false])
    func `as many sockets are passed as the bound says, and none of more`(
        isPassed: Bool
    ) async throws {
        let count = ListenerHandover.socketsMax + (isPassed ? 0 : 1)
        let (old, new) = (try group(), try group())
        let listeners = try await old.listen(on: any) { _, _ in Recorder() }
        let handover = try await ListenerHandover.offer(at: path, on: old) {
            let own = await listeners.descriptors()
            return (0..<count).map { own[$0 % own.count] }
        }
        guard isPassed else {
            let error = await #expect(throws: SystemError.self) {
                _ = try await ListenerHandover.inherit(from: path, on: new)
            }
            #expect(error?.code == EBUSY)
            await handover.end()
            await old.shutdown()
            await new.shutdown()
            return
        }
        async let inherited = ListenerHandover.inherit(from: path, on: new)
        #expect(await handover.passed { await waitForNothing() })
        await handover.end()
        let sockets = try await inherited
        #expect(sockets.count == count)
        for socket in sockets { close(socket) }
        await old.shutdown()
        await new.shutdown()
    }

    /// As a server that is started again until it may.
    private func inheritWhenFree(on group: EventLoopGroup) async throws -> [Int32] {
        while true {
            do throws(SystemError) {
                return try await ListenerHandover.inherit(from: path, on: group)
            } catch {
                guard error.code == EBUSY else { throw error }
            }
        }
    }

    @Test func `where a successor ends before its time, the next has the sockets, which stay open`()
        async throws
    {
        let (old, new) = (try group(), try group())
        let listeners = try await old.listen(on: any) { _, _ in Recorder() }
        let handover = try await ListenerHandover.offer(at: path, on: old) {
            await listeners.descriptors()
        }
        // Successors that end, until one had the sockets: on a busy machine the first may not.
        let dying = Task { [path] in
            while !Task.isCancelled {
                do throws(SystemError) {
                    _ = try await ListenerHandover.inherit(
                        from: path, on: new, within: .milliseconds(50))
                    Issue.record("it was told that it may serve")
                } catch {
                    #expect(error.code == ETIMEDOUT || error.code == EBUSY)
                }
            }
        }
        let isPassed = await handover.passed { await waitForNothing() }
        dying.cancel()
        await dying.value
        #expect(isPassed)
        await listeners.close()
        let port = try #require(listeners.address.port)
        #expect(LoopbackClient(port: port) != nil, "nobody has the sockets, and the port is open")
        async let next = inheritWhenFree(on: new)
        // Let go as soon as the next one has them.
        while try await !isRefused() {}
        await handover.end()
        let sockets = try await next
        #expect(sockets.count == 2)
        #expect(LoopbackClient(port: port) != nil)
        for socket in sockets { close(socket) }
        #expect(LoopbackClient(port: port) == nil, "a socket is left open")
        await old.shutdown()
        await new.shutdown()
    }

    /// Whether a successor is there, by asking as another.
    private func isRefused() async throws -> Bool {
        let group = try group()
        var isRefused = false
        do throws(SystemError) {
            let sockets = try await ListenerHandover.inherit(
                from: path, on: group, within: .milliseconds(20))
            for socket in sockets { close(socket) }
        } catch {
            isRefused = error.code == EBUSY
        }
        await group.shutdown()
        return isRefused
    }

    @Test func `a predecessor that does not let go is not waited for without end`() async throws {
        let (old, new) = (try group(), try group())
        let listeners = try await old.listen(on: any) { _, _ in Recorder() }
        let handover = try await ListenerHandover.offer(at: path, on: old) {
            await listeners.descriptors()
        }
        let error = await #expect(throws: SystemError.self) {
            _ = try await ListenerHandover.inherit(
                from: path, on: new, within: .milliseconds(100))
        }
        #expect(error?.code == ETIMEDOUT)
        await handover.end()
        await old.shutdown()
        await new.shutdown()
    }
}
