import NetPoll
import NetPollTesting
import Testing

@Suite("Closing, on every driver", .timeLimit(.minutes(10)))
struct ClosingSuite {
    /// A world with one open connection.
    private struct Setup {
        let world: any World
        let client: any Client
        let recorder: Recorder
        let connection: Connection

        init(_ driver: DriverKind, _ limits: Connection.Limits = .init()) throws {
            let recorders = Recorders { $0.closesAtEnd = false }
            world = try driver.makeWorld()
            var configuration = Listener.Configuration()
            configuration.limits = limits
            let address = try world.loop.listen(
                on: SocketAddress(host: "127.0.0.1", port: 0), configuration: configuration
            ) { recorders.make($0, $1) }.address
            client = try #require(world.connect(to: address))
            let opened = world.run { recorders.all.first?.connection != nil }
            #expect(opened)
            recorder = try #require(recorders.all.first)
            connection = try #require(recorder.connection)
        }
    }

    @Test(arguments: DriverKind.allCases)
    func `close sends what is queued before the end of file`(driver: DriverKind) throws {
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 8 << 20
        let setup = try Setup(driver, limits)
        setup.connection.write(bytes: [UInt8](repeating: 9, count: 2_000_000))
        setup.connection.close()
        #expect(setup.connection.write(text: "late") == .closed)
        #expect(setup.world.run { setup.client.isEnded })
        #expect(setup.client.received.count == 2_000_000)
        setup.client.close()
        #expect(setup.world.run { setup.recorder.closeReason == .local })
        #expect(setup.recorder.events == ["opened", "closed"])
    }

    @Test(arguments: DriverKind.allCases)
    func `a peer that still sends while we close loses nothing of our last words`(
        driver: DriverKind
    ) throws {
        let setup = try Setup(driver)
        setup.client.send([UInt8](repeating: 1, count: 20_000))
        setup.connection.write(text: "goodbye")
        setup.connection.close()
        #expect(setup.world.run { setup.client.text == "goodbye" && setup.client.isEnded })
        #expect(!setup.client.isReset)
        #expect(setup.recorder.received.isEmpty, "nothing is delivered after close()")
    }

    @Test(arguments: DriverKind.allCases)
    func `where closes are unbounded a connection that ends may end another`(
        driver: DriverKind
    ) throws {
        var configuration = EventLoop.Configuration()
        configuration.closesPerTurnMax = .max
        let world = try driver.makeWorld(configuration: configuration)
        let recorders = Recorders()
        let address = try world.loop.listen(on: SocketAddress(host: "127.0.0.1", port: 0)) {
            recorders.make($0, $1)
        }.address
        let clients = try (0..<3).map { _ in try #require(world.connect(to: address)) }
        #expect(world.run { recorders.all.count { $0.connection != nil } == 3 })
        let all = recorders.all
        for (one, next) in zip(all, all.dropFirst()) {
            one.onClose = { next.connection?.abort() }
        }
        all.first?.connection?.abort()
        #expect(world.run { all.allSatisfy { $0.closeReason == .local } })
        #expect(world.run { clients.allSatisfy { $0.isReset } })
    }

    @Test(arguments: DriverKind.allCases)
    func `half close lets the peer go on sending`(driver: DriverKind) throws {
        let setup = try Setup(driver)
        setup.connection.write(text: "request")
        setup.connection.closeWrite()
        #expect(setup.connection.write(text: "late") == .closed)
        #expect(setup.world.run { setup.client.isEnded })
        setup.client.send(Array("answer".utf8))
        #expect(setup.world.run { setup.recorder.received == Array("answer".utf8) })
        setup.client.sendEnd()
        #expect(setup.world.run { setup.recorder.closeReason == .peer })
        #expect(setup.recorder.events == ["opened", "closed"])
    }

    @Test(arguments: DriverKind.allCases)
    func `after the peer's end this side may still write`(driver: DriverKind) throws {
        let setup = try Setup(driver)
        setup.client.sendEnd()
        #expect(setup.world.run { setup.recorder.events == ["opened", "end"] })
        setup.connection.write(text: "more")
        #expect(setup.world.run { setup.client.text == "more" })
        setup.connection.close()
        #expect(setup.world.run { setup.client.isEnded && setup.recorder.closeReason == .peer })
    }

    @Test(arguments: DriverKind.allCases)
    func `abort resets the connection and tells the handler`(driver: DriverKind) throws {
        let setup = try Setup(driver)
        setup.connection.abort()
        #expect(setup.connection.write(text: "late") == .closed)
        #expect(setup.world.run { setup.client.isReset && setup.recorder.closeReason == .local })
        #expect(setup.world.loop.registrations == 1)
    }

    @Test(arguments: DriverKind.allCases)
    func `a reset by the peer ends the connection`(driver: DriverKind) throws {
        let setup = try Setup(driver)
        setup.client.reset()
        #expect(setup.world.run { setup.recorder.closeReason == .reset })
    }

    @Test(arguments: DriverKind.allCases)
    func `a reset is noticed while reading is paused`(driver: DriverKind) throws {
        let setup = try Setup(driver)
        setup.connection.pauseReading()
        setup.client.reset()
        #expect(setup.world.run { setup.recorder.closeReason == .reset })
    }

    @Test(arguments: DriverKind.allCases)
    func `pausing stops delivery and resuming brings what waited`(driver: DriverKind) throws {
        let setup = try Setup(driver)
        setup.connection.pauseReading()
        setup.client.send(Array("waits".utf8))
        let turns = setup.world.loop.metrics.turns
        _ = setup.world.run { setup.world.loop.metrics.turns > turns + 3 }
        #expect(setup.recorder.received.isEmpty)
        setup.connection.resumeReading()
        #expect(setup.world.run { setup.recorder.received == Array("waits".utf8) })
    }

    @Test func `a close that the peer does not answer is over after its timeout`() throws {
        var limits = Connection.Limits()
        limits.closeTimeout = .seconds(7)
        let setup = try Setup(.simulated, limits)
        setup.connection.close()
        let network = try #require(setup.world as? SimulatedWorld).network
        network.run(for: .milliseconds(6_999))
        #expect(setup.recorder.closeReason == nil)
        network.run(for: .milliseconds(2))
        #expect(setup.recorder.closeReason == .closeTimedOut)
    }

    @Test func `a handler that was told of the close is not kept alive by its connection`() throws {
        let setup = try Setup(.simulated)
        setup.connection.abort()
        _ = setup.world.run { setup.recorder.closeReason != nil }
        #expect(setup.connection.handler !== setup.recorder)
    }
}
