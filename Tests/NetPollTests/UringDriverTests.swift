import Glibc
import NetPoll
import NetPollTesting
import Testing

/// What only io_uring can get wrong: buffers that run out, requests that end, completions that come
/// after their descriptor was closed.
@Suite("The io_uring driver", .timeLimit(.minutes(10)))
struct UringDriverTests {
    private let any = SocketAddress.v4(0x0100_007f, port: 0)

    /// A loop on a driver of these sizes and one open connection.
    private struct Setup {
        let driver: UringDriver
        let world: SystemWorld
        let recorders: Recorders
        let listener: Listener
        let client: any Client
        let recorder: Recorder

        init(
            _ configuration: EventLoop.Configuration = .init(),
            _ adjust: (inout UringDriver.Settings) -> Void = { _ in },
            prepare: @escaping (Recorder) -> Void = { _ in }
        ) throws {
            var settings = UringDriver.Settings()
            adjust(&settings)
            let driver = try UringDriver(settings: settings)
            let world = SystemWorld(driver: driver, configuration: configuration)
            let recorders = Recorders(prepare)
            listener = try world.loop.listen(on: .v4(0x0100_007f, port: 0)) {
                recorders.make($0, $1)
            }
            client = try #require(world.connect(to: listener.address))
            #expect(world.run { recorders.all.first?.connection != nil })
            recorder = try #require(recorders.all.first)
            (self.driver, self.world, self.recorders) = (driver, world, recorders)
        }
    }

    private static func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    @Test(arguments: [(1, 64), (4, 64), (2, 1_000), (256, 16_384)])
    func `a message longer than a buffer arrives whole, also when all buffers are taken`(
        buffers: Int, bufferBytes: Int
    ) throws {
        let setup = try Setup {
            ($0.buffers, $0.bufferBytes) = (buffers, bufferBytes)
        }
        let bytes = Self.pattern(300_000)
        setup.client.send(bytes)
        #expect(setup.world.run { setup.recorder.received.count == bytes.count })
        #expect(setup.recorder.received == bytes)
        if buffers < 256 {
            let exhaustions = setup.driver.exhaustions
            #expect(exhaustions > 0, "the buffers were to run out")
        }
        setup.client.sendEnd()
        #expect(setup.world.run { setup.recorder.closeReason == .peer })
    }

    @Test func `requests and completions beyond the rings' sizes are not lost`() throws {
        let setup = try Setup {
            ($0.entries, $0.completions, $0.buffers, $0.bufferBytes) = (2, 4, 4, 64)
        } prepare: {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let bytes = Self.pattern(5_000)
        let clients = (0..<40).compactMap { _ in setup.world.connect(to: setup.listener.address) }
        #expect(clients.count == 40)
        for client in clients { client.send(bytes) }
        #expect(setup.world.run { clients.allSatisfy { $0.received.count == bytes.count } })
        #expect(clients.allSatisfy { $0.received == bytes })
        for client in clients { client.close() }
        #expect(setup.world.run { setup.world.loop.registrations == 2 })
    }

    @Test func `what the kernel had received before a pause comes after it, in order`() throws {
        var sizes: [Int] = []
        let setup = try Setup {
            ($0.buffers, $0.bufferBytes) = (64, 64)
        } prepare: { recorder in
            recorder.onReceive = { bytes, connection in
                sizes.append(bytes.byteCount)
                if sizes.count == 1 || sizes.count == 4 { connection.pauseReading() }
            }
        }
        let bytes = Self.pattern(2_000)
        setup.client.send(bytes)
        setup.client.sendEnd()
        for count in [64, 256] {
            let turns = setup.world.loop.metrics.turns
            #expect(setup.world.run { setup.world.loop.metrics.turns > turns + 5 })
            #expect(setup.recorder.received == Array(bytes[..<count]))
            #expect(setup.recorder.events == ["opened"], "the end comes after the bytes")
            setup.recorder.connection?.resumeReading()
        }
        #expect(setup.world.run { setup.recorder.closeReason == .peer })
        #expect(setup.recorder.received == bytes)
        #expect(setup.recorder.events == ["opened", "end", "closed"])
        #expect(sizes.max() == 64, "no call has more than a buffer")
    }

    @Test func `a handler that pauses in each call gets one each time it resumes`() throws {
        var sizes: [Int] = []
        let setup = try Setup {
            ($0.buffers, $0.bufferBytes) = (64, 64)
        } prepare: { recorder in
            recorder.onReceive = { bytes, connection in
                sizes.append(bytes.byteCount)
                connection.pauseReading()
            }
        }
        let bytes = Self.pattern(100_000)
        setup.client.send(bytes)
        setup.client.sendEnd()
        var (calls, stashedMax) = (0, 0)
        while setup.recorder.received.count < bytes.count {
            calls += 1
            try #require(setup.world.run { sizes.count >= calls })
            #expect(sizes.count == calls)
            stashedMax = max(stashedMax, setup.driver.stashedBytes)
            setup.recorder.connection?.resumeReading()
        }
        #expect(setup.world.run { setup.recorder.closeReason == .peer })
        #expect(setup.recorder.received == bytes)
        #expect(sizes.max() == 64)
        // Buffers that are given back before the kernel learns of the pause may be filled again.
        #expect(stashedMax > 64 && stashedMax <= bytes.count / 2, "at most \(stashedMax) bytes")
    }

    @Test func `a loop that shuts down closes what was accepted and not reported yet`() throws {
        var configuration = EventLoop.Configuration()
        configuration.acceptsPerTurnMax = 1
        let setup = try Setup(configuration)
        let (world, loop) = (setup.world, setup.world.loop)
        let clients = (0..<10).compactMap { _ in world.connect(to: setup.listener.address) }
        try #require(clients.count == 10)
        // The kernel accepts all of them at once.
        loop.turn(until: loop.now)
        try #require(setup.recorders.all.count < 10)
        loop.shutDown()
        let end = loop.clockNow + .seconds(5)
        var isOver = false
        while !isOver, loop.clockNow < end {
            for client in clients { (client as? SystemClient)?.act() }
            isOver = clients.allSatisfy { $0.isEnded || $0.isReset }
        }
        #expect(isOver, "\(clients.count { !$0.isEnded && !$0.isReset }) are still open")
    }

    @Test func `pausing and resuming within one turn goes on receiving`() throws {
        let setup = try Setup()
        for round in 1...50 {
            setup.recorder.connection?.pauseReading()
            setup.recorder.connection?.resumeReading()
            if round.isMultiple(of: 2) { setup.recorder.connection?.pauseReading() }
            setup.client.send([UInt8(round)])
            if round.isMultiple(of: 2) { setup.recorder.connection?.resumeReading() }
            #expect(setup.world.run { setup.recorder.received.count == round })
        }
        #expect(setup.recorder.received == Array(1...50))
    }

    private final class Ending: TimerTarget {
        let act: () -> Void

        init(_ act: @escaping () -> Void) {
            self.act = act
        }

        func timerFired(_ id: TimerID, on loop: EventLoop) { act() }
    }

    /// In a process of its own, where nobody else takes the descriptor's number.
    @Test func `bytes for a closed connection never reach the next one of its descriptor`() async {
        await #expect(processExitsWith: .success) {
            let lowest = open("/dev/null", O_RDONLY)
            let setup = try Setup()
            let first = setup.recorder
            let spare = try setup.world.loop.listen(on: .v4(0x0100_007f, port: 0)) { _, _ in
                Recorder()
            }
            let ending = Ending {
                // Closing a listener enters the kernel, which so completes the receive after this
                // turn's completions were delivered and before the connection is closed.
                setup.client.send(Array("stale".utf8))
                spare.close()
                first.connection?.abort()
            }
            setup.world.loop.schedule(after: .zero, ending)
            #expect(setup.world.run { first.closeReason == .local })
            // The client's socket takes the place of `lowest`, so that the accepted one most likely
            // gets the number again.
            close(lowest)
            let client = try #require(setup.world.connect(to: setup.listener.address))
            #expect(setup.world.run { setup.recorders.all.count == 2 })
            let second = try #require(setup.recorders.all.last)
            client.send(Array("fresh".utf8))
            #expect(setup.world.run { !second.received.isEmpty })
            #expect(second.received == Array("fresh".utf8))
            #expect(first.received.isEmpty)
            let stale = setup.world.loop.metrics.staleEvents
            #expect(stale == 1, "the completion was to come late")
            #expect(setup.world.run { setup.client.isReset || setup.client.isEnded })
        }
    }

    /// In a process of its own, for the limit is the process's.
    @Test(arguments: DriverKind.kernels)
    func `a listener out of descriptors sheds who waits and accepts again when there are some`(
        driver: DriverKind
    ) async {
        await #expect(processExitsWith: .success) { [driver] in
            let world = try driver.makeWorld()
            let recorders = Recorders()
            let address = try world.loop.listen(on: .v4(0x0100_007f, port: 0)) {
                recorders.make($0, $1)
            }.address
            let clients = (0..<10).compactMap { _ in world.connect(to: address) }
            var limit = rlimit()
            let top = open("/dev/null", O_RDONLY)
            limit.rlim_cur = rlim_t(top)
            limit.rlim_max = 4_096
            close(top)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            // What the process's other threads closed below the limit would be used otherwise; of
            // what they close later, on a slow machine, a few may still be accepted.
            while open("/dev/null", O_RDONLY) >= 0 {}
            #expect(world.run { clients.count(where: \.isEnded) + recorders.all.count == 10 })
            let shed = world.loop.metrics.shed
            #expect(shed + recorders.all.count == 10)
            #expect(shed >= 8)
            limit.rlim_cur = 4_096
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let late = try #require(world.connect(to: address))
            late.send([1])
            #expect(world.run { recorders.all.contains { $0.received == [1] } })
        }
    }

    @Test func `a turn reports no more accepted connections than its bound`() throws {
        var configuration = EventLoop.Configuration()
        configuration.acceptsPerTurnMax = 3
        let setup = try Setup(configuration)
        let clients = (0..<50).compactMap { _ in setup.world.connect(to: setup.listener.address) }
        #expect(clients.count == 50)
        var accepted = setup.world.loop.metrics.accepted
        var most = 0
        #expect(
            setup.world.run {
                let present = setup.world.loop.metrics.accepted
                most = max(most, present - accepted)
                accepted = present
                return accepted == 51
            })
        #expect(most == 3)
    }

    @Test func `a listener closed with connections under way serves them and frees its port`()
        throws
    {
        var configuration = EventLoop.Configuration()
        configuration.acceptsPerTurnMax = 1
        let setup = try Setup(configuration)
        let clients = (0..<10).compactMap { _ in setup.world.connect(to: setup.listener.address) }
        setup.world.loop.turn(until: setup.world.loop.now)
        var isOver = false
        setup.listener.close { isOver = true }
        #expect(!isOver && setup.recorders.all.count < 11)
        let recorders = setup.recorders
        try setup.world.loop.listen(on: setup.listener.address) { recorders.make($0, $1) }
        for client in clients { client.send([7]) }
        #expect(setup.world.run { isOver })
        #expect(recorders.all.count == 11)
        #expect(setup.world.run { recorders.all.count { $0.received == [7] } == 10 })
        let late = try #require(setup.world.connect(to: setup.listener.address))
        late.send([8])
        #expect(setup.world.run { recorders.all.last?.received == [8] })
        #expect(clients.allSatisfy { !$0.isReset && !$0.isEnded })
        let stale = setup.world.loop.metrics.staleEvents
        #expect(stale == 0)
    }

    @Test func `a closed listener's port is free however much came since the last wait`() throws {
        let setup = try Setup()
        let clients = (0..<200).compactMap { _ in
            setup.world.connect(to: setup.listener.address)
        }
        #expect(setup.world.run { setup.recorders.all.count == 201 })
        // The last ones' receives are asked for by the next wait.
        setup.world.loop.turn(until: setup.world.loop.now)
        for client in clients { client.send([7]) }
        var isOver = false
        setup.listener.close { isOver = true }
        let recorders = setup.recorders
        try setup.world.loop.listen(on: setup.listener.address) { recorders.make($0, $1) }
        #expect(setup.world.run { isOver })
        #expect(setup.world.run { recorders.all.count { $0.received == [7] } == 200 })
    }

    @Test func `what the kernel accepts until it learns that a listener is closed is served`()
        throws
    {
        let setup = try Setup()
        let other = dup(setup.listener.descriptor)
        defer { close(other) }
        // Completed by the call that closes the listener, if they are: the others wait for who has the
        // duplicate.
        let clients = (0..<10).compactMap { _ in setup.world.connect(to: setup.listener.address) }
        for client in clients { client.send([7]) }
        var isOver = false
        setup.listener.close { isOver = true }
        #expect(setup.world.run { isOver })
        let served = setup.recorders.all.count - 1
        #expect(setup.world.run { setup.recorders.all.count { $0.received == [7] } == served })
        _ = fcntl(other, F_SETFL, O_NONBLOCK)
        var waiting: [Int32] = []
        while case let descriptor = accept(other, nil, nil), descriptor >= 0 {
            waiting.append(descriptor)
        }
        defer { for descriptor in waiting { close(descriptor) } }
        #expect(served + waiting.count == 10)
        #expect(clients.allSatisfy { !$0.isReset && !$0.isEnded })
        #expect(setup.world.loop.registrations == 1 + served)
    }

    @Test func `a loop that ends with a closing listener's connections under way resets them`()
        throws
    {
        var configuration = EventLoop.Configuration()
        configuration.acceptsPerTurnMax = 1
        let setup = try Setup(configuration)
        let clients = (0..<10).compactMap { _ in setup.world.connect(to: setup.listener.address) }
        setup.world.loop.turn(until: setup.world.loop.now)
        var isOver = false
        setup.listener.close { isOver = true }
        #expect(!isOver)
        setup.world.loop.shutDown()
        #expect(isOver && setup.world.loop.registrations == 0)
        #expect(clients.count == 10)
    }

    @Test(arguments: [false, true])
    func `every listener that accepted more than a turn serves goes on accepting`(
        peersReset: Bool
    ) throws {
        var configuration = EventLoop.Configuration()
        configuration.acceptsPerTurnMax = 2
        let setup = try Setup(configuration)
        let recorders = setup.recorders
        let other = try setup.world.loop.listen(on: any) { recorders.make($0, $1) }
        let addresses = [setup.listener.address, other.address]
        setup.world.loop.turn(until: setup.world.loop.now)
        // More than a turn's of each, so that the ring holds both listeners back.
        for address in addresses {
            for _ in 0..<12 {
                let client = try #require(setup.world.connect(to: address))
                if peersReset { client.reset() }
            }
        }
        for address in addresses {
            let late = try #require(setup.world.connect(to: address))
            late.send([7])
            let before = recorders.all.count { $0.received == [7] }
            #expect(setup.world.run { recorders.all.count { $0.received == [7] } > before })
        }
    }

    @Test func `all requests of a turn leave with the one call that waits`() throws {
        let setup = try Setup()
        let loop = setup.world.loop
        for _ in 0..<40 { _ = try #require(setup.world.connect(to: setup.listener.address)) }
        #expect(setup.world.run { setup.recorders.all.count == 41 })
        /// Something is done, and then four turns.
        func cost(_ act: () -> Void) -> [Int] {
            let before = setup.driver.batches
            act()
            for _ in 0..<4 { loop.turn(until: loop.now) }
            let after = setup.driver.batches
            return [after.enters - before.enters, after.requests - before.requests]
        }
        let connections = setup.recorders.all.compactMap(\.connection)
        try #require(connections.count == 41)
        _ = cost {}
        #expect(cost {} == [4, 0])
        // Each receive is cancelled, and after it a break awaited.
        let pausing = cost { for connection in connections { connection.pauseReading() } }
        #expect(pausing == [4, 82])
        let resuming = cost { for connection in connections { connection.resumeReading() } }
        #expect(resuming == [4, 41])
    }

    @Test func `a ring the kernel refuses is a typed error`() {
        var settings = UringDriver.Settings()
        settings.entries = 0
        let error = #expect(throws: SystemError.self) {
            _ = try UringDriver(settings: settings)
        }
        #expect(error?.operation == "io_uring_setup")
        #expect(error?.code == Platform.Errno.notSupported)
    }
}
