import NetPoll
import Synchronization
import Testing

@Suite("Tasks on loops, on real threads", .timeLimit(.minutes(10)))
struct AsyncThreadsTests {
    private func makeGroup() throws -> EventLoopGroup {
        var configuration = EventLoopGroup.Configuration()
        configuration.loops = 2
        return try EventLoopGroup(configuration: configuration)
    }

    @Test func `tasks of many connections each stay on their loop`() async throws {
        let group = try makeGroup()
        let listener = try await group.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
        let strayed = Atomic<Int>(0)
        let server = Task {
            await listener.serve { connection in
                for try await bytes in connection.inbound {
                    if !connection.loop.isCurrent { strayed.add(1, ordering: .relaxed) }
                    try await connection.write(bytes)
                }
            }
        }
        let address = listener.address
        let echoed = try await withThrowingTaskGroup { clients in
            for index in 0..<50 {
                clients.addTask {
                    try await group.loops[index % 2].withConnection(to: address) { connection in
                        let sent = [UInt8](repeating: UInt8(index), count: 100_000)
                        async let writing: Void = connection.write(sent.span.bytes)
                        var received: [UInt8] = []
                        for try await bytes in connection.inbound {
                            received.append(contentsOf: bytes)
                            if received.count == sent.count { break }
                        }
                        try await writing
                        return received == sent
                    }
                }
            }
            return try await clients.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(echoed == 50)
        #expect(strayed.load(ordering: .relaxed) == 0)
        listener.close()
        await server.value
        await group.shutdown()
    }

    @Test func `what was on its way to another loop when the listener was closed is still taken`()
        async throws
    {
        let (group, clients) = (try makeGroup(), try makeGroup())
        var configuration = Listener.Configuration()
        configuration.balancing = .roundRobin
        let listener = try await group.listen(
            on: SocketAddress(host: "127.0.0.1", port: 0), configuration: configuration)
        let gate = Semaphore()
        group.loops[1].execute { gate.wait() }
        // Every second one is for the loop that is held up.
        var connections: [AsyncConnection] = []
        for _ in 0..<3 {
            connections.append(
                try await Connection.connect(to: listener.address, on: clients.loops[0]))
        }
        var iterator = listener.makeAsyncIterator()
        let taken = [await iterator.next(), await iterator.next()]
        #expect(taken.map { $0?.loop.index } == [0, 0])
        listener.close()
        await group.loops[0].run {}
        let taking = Task(executorPreference: group.loops[0]) {
            var iterator = listener.makeAsyncIterator()
            return await iterator.next()?.loop.index
        }
        await group.loops[0].run {}
        gate.signal()
        #expect(await taking.value == 1)
        let further = await iterator.next()
        #expect(further == nil)
        for connection in connections { connection.abort() }
        await clients.shutdown()
        await group.shutdown()
    }

    @Test func `a task elsewhere may use a connection too`() async throws {
        let group = try makeGroup()
        let listener = try await group.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
        let address = listener.address
        let server = Task {
            for await connection in listener {
                for try await bytes in connection.inbound { try await connection.write(bytes) }
                await connection.close()
            }
        }
        let connection = try await Connection.connect(to: address, on: group.loops[1])
        var received = 0
        var inbound = connection.inbound.makeAsyncIterator()
        for _ in 0..<100 {
            try await connection.write("hello")
            var waited = 5
            while waited > 0, let bytes = try await inbound.next() {
                waited -= bytes.count
                received += bytes.count
            }
        }
        #expect(received == 500)
        await connection.close()
        listener.close()
        _ = try await server.value
        await group.shutdown()
    }

    @Test func `tasks on no loop that name none connect on one they share`() async throws {
        let group = try makeGroup()
        let listener = try await group.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
        let server = Task {
            await listener.serve { connection in
                for try await bytes in connection.inbound { try await connection.write(bytes) }
            }
        }
        let first = try await Connection.connect(to: listener.address)
        let second = try await Task {
            let port = try #require(listener.address.port)
            return try await Connection.connect(host: "127.0.0.1", port: port)
        }.value
        #expect(first.loop === second.loop)
        #expect(!group.loops.contains { $0 === first.loop })
        for connection in [first, second] {
            try await connection.write("hello")
            var received = 0
            for try await bytes in connection.inbound {
                received += bytes.count
                if received >= 5 { break }
            }
            #expect(received == 5)
            await connection.close()
        }
        listener.close()
        await server.value
        await group.shutdown()
    }

    @Test func `an actor may live on a loop`() async throws {
        actor Counter {
            nonisolated let loop: EventLoop
            nonisolated var unownedExecutor: UnownedSerialExecutor {
                loop.asUnownedSerialExecutor()
            }
            private(set) var value = 0
            private(set) var strayed = false

            init(loop: EventLoop) {
                self.loop = loop
            }

            func add() {
                value += 1
                if !loop.isCurrent { strayed = true }
            }
        }
        let group = try makeGroup()
        let counter = Counter(loop: group.loops[0])
        await withTaskGroup { tasks in
            for _ in 0..<1_000 { tasks.addTask { await counter.add() } }
        }
        #expect(await counter.value == 1_000)
        #expect(await !counter.strayed)
        await group.shutdown()
        // The loop is gone; its actor still answers, one caller at a time.
        await withTaskGroup { tasks in
            for _ in 0..<100 { tasks.addTask { await counter.add() } }
        }
        #expect(await counter.value == 1_100)
        #expect(await !counter.strayed)
    }

    @Test func `shutting a group down ends what its tasks wait for`() async throws {
        let group = try makeGroup()
        let listener = try await group.listen(on: SocketAddress(host: "127.0.0.1", port: 0))
        let server = Task {
            await listener.serve { connection in
                for try await bytes in connection.inbound { try await connection.write(bytes) }
            }
        }
        let connection = try await Connection.connect(to: listener.address, on: group.loops[0])
        let reader = Task { () -> ConnectionError? in
            do throws(ConnectionError) {
                for try await _ in connection.inbound {}
                return nil
            } catch {
                return error
            }
        }
        try await connection.write("there")
        await group.shutdown()
        await server.value
        let error = await reader.value
        // The other side's loop may have been shut down first; then its reset came before.
        #expect(error == .closed(.shutdown) || error == .closed(.reset))
    }
}
