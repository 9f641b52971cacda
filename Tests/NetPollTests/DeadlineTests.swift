import NetPollTesting
import Testing

@testable import NetPoll

@Suite("Deadlines of a connection", .timeLimit(.minutes(10)))
struct DeadlineTests {
    private final class Setup {
        let world = SimulatedWorld(configuration: .init())
        let recorders = Recorders { $0.closesAtEnd = false }
        let client: SimulatedPeer
        let start: Instant

        init(_ change: (inout Connection.Limits) -> Void) throws {
            var configuration = Listener.Configuration()
            change(&configuration.limits)
            let address = try world.loop.listen(
                on: SocketAddress(host: "10.0.0.1", port: 80), configuration: configuration
            ) { [recorders] in recorders.make($0, $1) }.address
            client = try #require(world.network.connect(to: address))
            world.network.runUntilIdle()
            start = world.network.now
        }

        var recorder: Recorder { recorders.all[0] }

        /// The reason of the end and after how long it came, if it came within an hour.
        func end(doing step: () -> Void = {}, every period: Duration = .seconds(3_600)) -> String {
            for _ in 0..<10_000 where recorder.closeReason == nil {
                guard world.network.now - start < .seconds(3_600) else { return "none" }
                step()
                world.network.run(for: period)
            }
            guard let reason = recorder.closeReason, let end = recorder.closedAt else {
                return "none"
            }
            return "\(reason) after \((end - start) / .milliseconds(1))"
        }
    }

    @Test func `without limits a silent connection lives on and has no timer`() throws {
        let setup = try Setup { _ in }
        #expect(setup.world.loop.nextTimer == nil)
        setup.world.network.run(for: .seconds(86_400))
        #expect(setup.recorder.closeReason == nil)
    }

    @Test func `a peer that never says anything is aborted`() throws {
        let setup = try Setup { $0.firstByteTimeout = .seconds(10) }
        #expect(setup.end() == "firstByteTimedOut after 10000.0")
        #expect(setup.client.isReset)
        #expect(setup.world.loop.nextTimer == nil)
    }

    @Test func `what we send does not stand in for the peer's first byte`() throws {
        let setup = try Setup {
            $0.firstByteTimeout = .seconds(10)
            $0.idleTimeout = .seconds(3)
        }
        let end = setup.end(
            doing: { setup.recorder.connection?.write(text: "anyone?") }, every: .seconds(1))
        #expect(end == "firstByteTimedOut after 10000.0")
    }

    @Test func `after its first byte a connection may be silent for the idle time`() throws {
        let setup = try Setup {
            $0.firstByteTimeout = .seconds(10)
            $0.idleTimeout = .seconds(3)
        }
        setup.world.network.run(for: .seconds(9))
        setup.client.send([1])
        #expect(setup.end() == "idleTimedOut after 12000.0")
    }

    @Test func `bytes received and bytes sent both keep a connection from being idle`() throws {
        for isReceiving in [true, false] {
            let setup = try Setup { $0.idleTimeout = .seconds(5) }
            var count = 0
            let end = setup.end(
                doing: {
                    count += 1
                    guard count <= 100 else { return }
                    if isReceiving {
                        setup.client.send([1])
                    } else {
                        setup.recorder.connection?.write(text: "tick")
                    }
                }, every: .seconds(4))
            // The last byte moves after 99 × 4 s.
            #expect(end == "idleTimedOut after 401000.0")
        }
    }

    @Test func `receiving moves no timer`() throws {
        let setup = try Setup { $0.idleTimeout = .seconds(60) }
        let armed = setup.world.loop.nextTimer
        for _ in 0..<50 {
            setup.client.send([1])
            setup.world.network.run(for: .seconds(1))
        }
        #expect(setup.world.loop.nextTimer == armed)
    }

    @Test func `trickled input ends at its own deadline, however much arrives`() throws {
        let setup = try Setup {
            $0.inputTimeout = .seconds(20)
            $0.idleTimeout = .seconds(300)
        }
        setup.world.network.run(for: .seconds(5))
        setup.recorder.onReceive = { _, connection in connection.inputIsIncomplete = true }
        #expect(
            setup.end(doing: { setup.client.send([1]) }, every: .seconds(1))
                == "inputTimedOut after 25000.0")
    }

    @Test func `completed input has no deadline but idleness`() throws {
        let setup = try Setup {
            $0.inputTimeout = .seconds(20)
            $0.idleTimeout = .seconds(30)
        }
        setup.recorder.onReceive = { _, connection in connection.inputIsIncomplete.toggle() }
        var count = 0
        let end = setup.end(
            doing: {
                count += 1
                if count <= 10 { setup.client.send([1]) }
            }, every: .seconds(15))
        #expect(end == "idleTimedOut after 165000.0")
    }

    @Test func `a peer that takes nothing is told apart from one that is slow`() throws {
        for isSlow in [false, true] {
            let setup = try Setup { $0.writeStallTimeout = .seconds(10) }
            setup.client.stall()
            setup.recorder.connection?.write(bytes: .init(repeating: 1, count: 300_000))
            let end = setup.end(
                doing: {
                    guard isSlow else { return }
                    // Takes a window's worth, then sleeps again.
                    setup.client.resume()
                    setup.world.network.runUntilIdle(turnsMax: 10_000)
                    setup.client.stall()
                    if setup.recorder.connection?.queuedBytes == 0 {
                        setup.recorder.connection?.abort()
                    }
                }, every: .seconds(9))
            #expect(isSlow ? end.hasPrefix("local") : end == "writeStalled after 10000.0")
        }
    }

    @Test func `a pause of ours is not the peer's idleness`() throws {
        let setup = try Setup { $0.idleTimeout = .seconds(5) }
        setup.recorder.connection?.pauseReading()
        setup.world.network.run(for: .seconds(600))
        #expect(setup.recorder.closeReason == nil)
        setup.recorder.connection?.resumeReading()
        #expect(setup.end() == "idleTimedOut after 605000.0")
    }

    @Test func `while reading is paused the time stands still, and does not begin anew`() throws {
        for sends in [false, true] {
            let setup = try Setup { $0.idleTimeout = .seconds(5) }
            setup.world.network.run(for: .seconds(3))
            setup.recorder.connection?.pauseReading()
            setup.world.network.run(for: .seconds(50))
            // Nothing was received, but this is not idleness.
            if sends { setup.recorder.connection?.write(bytes: [1]) }
            setup.world.network.run(for: .seconds(50))
            setup.recorder.connection?.resumeReading()
            #expect(setup.end() == "idleTimedOut after \(sends ? 108_000.0 : 105_000.0)")
        }
    }

    @Test(arguments: [Duration.zero, .milliseconds(500)])
    func `trickled input ends at its own deadline, although reading pauses at every byte`(
        pause: Duration
    ) throws {
        let setup = try Setup { $0.inputTimeout = .seconds(20) }
        setup.recorder.onReceive = { _, connection in
            connection.inputIsIncomplete = true
            connection.pauseReading()
            if pause == .zero { connection.resumeReading() }
        }
        let end = setup.end(
            doing: {
                setup.client.send([1])
                guard pause > .zero else { return }
                setup.world.network.run(for: pause)
                setup.recorder.connection?.resumeReading()
            }, every: .seconds(1) - pause)
        #expect(end.hasPrefix("inputTimedOut"))
        let closed = try #require(setup.recorder.closedAt)
        let expected = pause == .zero ? Duration.seconds(20) : .seconds(40)
        #expect(closed - setup.start >= expected && closed - setup.start <= expected + .seconds(1))
    }

    @Test func `outgoing connections keep the same deadlines`() throws {
        let setup = try Setup { _ in }
        let address = try SocketAddress(host: "10.0.0.1", port: 80)
        var configuration = ConnectConfiguration()
        configuration.limits.idleTimeout = .seconds(7)
        let client = Recorder()
        setup.world.loop.connect(to: address, configuration: configuration) { result in
            if case .success(let connection) = result { connection.handler = client }
        }
        setup.world.network.run(for: .milliseconds(6_999))
        #expect(client.connection != nil)
        setup.world.network.run(for: .milliseconds(3))
        #expect(client.closeReason == .idleTimedOut)
    }

    /// The reason of a kernel's connection's end, once `act` was done to it and its client, and how
    /// long it took.
    private func end(
        _ driver: DriverKind, _ limits: Connection.Limits,
        _ act: (Connection, any Client) -> Void
    ) throws -> (CloseReason?, Duration) {
        let world = try driver.makeWorld()
        let recorders = Recorders()
        var configuration = Listener.Configuration()
        configuration.limits = limits
        let address = try world.loop.listen(
            on: .v4(0x0100_007f, port: 0), configuration: configuration
        ) { recorders.make($0, $1) }.address
        let start = world.loop.now
        let client = try #require(world.connect(to: address))
        #expect(world.run { recorders.all.first?.connection != nil })
        let recorder = try #require(recorders.all.first)
        act(try #require(recorder.connection), client)
        #expect(world.run { recorder.closeReason != nil })
        let duration = try #require(recorder.closedAt) - start
        client.resume()
        #expect(world.run { client.isReset })
        return (recorder.closeReason, duration)
    }

    // Of a kernel's clock only the least is certain, and milliseconds are the deadlines' unit.

    @Test(arguments: DriverKind.kernels)
    func `a kernel's connection on which nothing moves is idle`(driver: DriverKind) throws {
        var limits = Connection.Limits()
        limits.idleTimeout = .milliseconds(200)
        let (reason, duration) = try end(driver, limits) { _, _ in }
        #expect(reason == .idleTimedOut)
        #expect(duration >= .milliseconds(199))
    }

    @Test(arguments: DriverKind.kernels)
    func `a kernel's connection whose peer takes nothing is stalled`(driver: DriverKind) throws {
        var limits = Connection.Limits()
        limits.writeStallTimeout = .milliseconds(200)
        limits.sendQueueBytesMax = 64 << 20
        limits.highWatermark = 4 << 20
        let (reason, duration) = try end(driver, limits) { connection, client in
            client.stall()
            let piece = [UInt8](repeating: 1, count: 1 << 20)
            var outcome = WriteOutcome.accepted
            while outcome == .accepted { outcome = connection.write(bytes: piece) }
            #expect(outcome == .aboveHighWatermark)
        }
        #expect(reason == .writeStalled)
        #expect(duration >= .milliseconds(199))
    }

    @Test func `ten thousand connections end each at its own time and leave no timer`() throws {
        let network = SimulatedNetwork(seed: 5)
        let loop = network.makeLoop()
        var configuration = Listener.Configuration()
        configuration.limits.idleTimeout = .seconds(60)
        let recorders = Recorders()
        let address = try loop.listen(
            on: SocketAddress(host: "10.0.0.1", port: 80), configuration: configuration
        ) { recorders.make($0, $1) }.address
        for _ in 0..<100 {
            for _ in 0..<100 { _ = network.connect(to: address) }
            network.run(for: .milliseconds(500))
        }
        #expect(recorders.all.count == 10_000)
        network.run(for: .milliseconds(10_100))
        #expect(recorders.all.filter { $0.closeReason == .idleTimedOut }.count == 100)
        network.run(for: .seconds(60))
        #expect(recorders.all.allSatisfy { $0.closeReason == .idleTimedOut })
        #expect(loop.nextTimer == nil)
        #expect(loop.registrations == 1)
    }

    @Test func `a connection is as small as it was without deadlines`() throws {
        let setup = try Setup { $0.idleTimeout = .seconds(5) }
        let connection = try #require(setup.recorder.connection)
        // As much as malloc's chunk of 96 bytes holds.
        #expect(usableBytes(of: connection) <= 88)
    }
}
