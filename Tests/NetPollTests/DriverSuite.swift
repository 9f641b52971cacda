import NetPoll
import NetPollTesting
import Testing

@Suite("Connections, on every driver", .timeLimit(.minutes(10)))
struct DriverSuite {
    private func listen(
        _ world: any World, limits: Connection.Limits = .init(), _ recorders: Recorders
    ) throws -> SocketAddress {
        var configuration = Listener.Configuration()
        configuration.limits = limits
        let any = try SocketAddress(host: "127.0.0.1", port: 0)
        return try world.loop.listen(on: any, configuration: configuration) {
            recorders.make($0, $1)
        }.address
    }

    /// A head may stand for a moment before the body in the loop's receive buffer, over bytes that the handler sees.
    @Test(arguments: DriverKind.allCases, [0, 1, 4, 14, 16, 17])
    func `a long body goes out behind its head, and what was received before it stays`(
        driver: DriverKind, headBytes: Int
    ) throws {
        let world = try driver.makeWorld()
        let head = (0..<headBytes).map { UInt8($0) | 0x80 }
        // Bodies of every place: at the begin of what arrived, less than a head behind it, further behind.
        let skipped = [0, 3, 4, 5, 16, 20]
        var isIntact = true
        var expected: [UInt8] = []
        var arrived = 0
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in
                arrived += bytes.byteCount
                bytes.bytes.withUnsafeBytes { bytes in
                    let before = Array(bytes)
                    for skip in skipped where bytes.count > skip {
                        let body = UnsafeRawBufferPointer(rebasing: bytes[skip...])
                        head.withUnsafeBytes { _ = connection.write(head: $0, body: body) }
                        expected += head + body
                    }
                    isIntact = isIntact && before == Array(bytes)
                }
            }
        }
        let address = try listen(world, recorders)
        let client = try #require(world.connect(to: address))
        let sent = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        client.send(sent)
        #expect(
            world.run { arrived == sent.count && client.received.count == expected.count })
        #expect(client.received == expected)
        #expect(isIntact)
    }

    @Test(arguments: DriverKind.allCases)
    func `bytes sent come back when the handler echoes them`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in connection.write(bytes.bytes) }
        }
        let address = try listen(world, recorders)
        let client = try #require(world.connect(to: address))
        client.send(Array("hello".utf8))
        #expect(world.run { client.text == "hello" })
        client.sendEnd()
        #expect(world.run { client.isEnded })
        #expect(world.run { recorders.all.first?.closeReason == .peer })
        #expect(recorders.all.first?.events == ["opened", "end", "closed"])
        #expect(recorders.addresses.first?.host == "127.0.0.1")
        #expect(world.loop.registrations == 1)
    }

    /// io_uring's bound is its provided buffers.
    @Test(arguments: [DriverKind.epoll, .kqueue, .simulated])
    func `a turn reads from one connection no more often than it may`(driver: DriverKind) throws {
        var configuration = EventLoop.Configuration()
        configuration.receiveBufferBytes = 1 << 10
        configuration.readsPerConnectionMax = 2
        let world = try driver.makeWorld(configuration: configuration)
        let recorders = Recorders()
        let address = try listen(world, recorders)
        let client = try #require(world.connect(to: address))
        #expect(world.run { recorders.all.first?.connection != nil })
        client.send([UInt8](repeating: 1, count: 10 << 10))
        let recorder = try #require(recorders.all.first)
        let before = world.loop.metrics
        #expect(world.run { recorder.received.count == 10 << 10 })
        let after = world.loop.metrics
        #expect(after.receives - before.receives >= 10)
        #expect(after.receives - before.receives <= 2 * (after.turns - before.turns))
    }

    @Test(arguments: DriverKind.allCases)
    func `the receive buffer may be changed in place`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let recorders = Recorders {
            $0.onReceive = { bytes, connection in
                bytes.withUnsafeMutableBytes { raw in
                    for index in raw.indices { raw[index] ^= 0x20 }
                }
                connection.write(bytes.bytes)
            }
        }
        let client = try #require(world.connect(to: try listen(world, recorders)))
        client.send(Array("SHOUT".utf8))
        #expect(world.run { client.text == "shout" })
    }

    @Test(arguments: DriverKind.allCases)
    func `all writes of a turn to one connection leave in one send`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        let recorders = Recorders()
        let address = try listen(world, recorders)
        let first = try #require(world.connect(to: address))
        let second = try #require(world.connect(to: address))
        #expect(world.run { recorders.all.filter { $0.connection != nil }.count == 2 })
        let before = world.loop.metrics.sends
        // Interleaved, so that neither connection's bytes are contiguous.
        for index in 0..<100 {
            recorders.all[0].connection?.write(text: "a\(index) ")
            recorders.all[1].connection?.write(text: "b\(index) ")
        }
        let expected = (0..<100).map { "a\($0) " }.joined()
        let texts = [expected, expected.replacing("a", with: "b")]
        #expect(world.run { [first.text, second.text].sorted() == texts })
        // 100 pieces each, at most 64 segments a send.
        #expect(world.loop.metrics.sends - before == 4)
        let afterwards = world.loop.metrics.sends
        for _ in 0..<100 { recorders.all[0].connection?.write(text: "x") }
        #expect(
            world.run {
                first.received.count + second.received.count == 2 * expected.utf8.count + 100
            })
        #expect(world.loop.metrics.sends - afterwards == 1)
    }

    @Test(arguments: DriverKind.allCases, [1, 1_000, 16_384, 100_000, 3_000_000])
    func `a write of any length arrives whole and in order`(driver: DriverKind, count: Int) throws {
        let world = try driver.makeWorld()
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 8 << 20
        let recorders = Recorders()
        let client = try #require(
            world.connect(to: try listen(world, limits: limits, recorders)))
        #expect(world.run { recorders.all.first?.connection != nil })
        let connection = try #require(recorders.all.first?.connection)
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        connection.write(text: "<")
        connection.write(bytes: bytes)
        connection.write(text: ">")
        #expect(world.run { client.received.count == count + 2 })
        #expect(client.received == [UInt8(ascii: "<")] + bytes + [UInt8(ascii: ">")])
        #expect(connection.queuedBytes == 0)
        #expect(!connection.ownsBuffers, "an idle connection owns no queue")
    }

    @Test(arguments: DriverKind.allCases)
    func `a shared payload is referenced until it is sent and released after`(
        driver: DriverKind
    ) throws {
        final class Payload {
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 600_000, alignment: 1)
            init() { bytes.initializeMemory(as: UInt8.self, repeating: 7) }
            deinit { bytes.deallocate() }
        }
        let world = try driver.makeWorld()
        let recorders = Recorders()
        let client = try #require(world.connect(to: try listen(world, recorders)))
        #expect(world.run { recorders.all.first?.connection != nil })
        client.stall()
        weak var watched: Payload?
        do {
            let payload = Payload()
            watched = payload
            let connection = try #require(recorders.all.first?.connection)
            connection.write(text: "head")
            connection.write(UnsafeRawBufferPointer(payload.bytes), keptAliveBy: payload)
        }
        #expect(watched != nil)
        client.resume()
        #expect(world.run { client.received.count == 600_004 })
        #expect(client.received.dropFirst(4).allSatisfy { $0 == 7 })
        #expect(watched == nil)
    }

    @Test(arguments: DriverKind.kernels, [1 << 20, 16 << 30])
    func `a payload of more than 4 GiB that is not copied is offered like any other`(
        driver: DriverKind, bound: Int
    ) throws {
        let world = try driver.makeWorld()
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = bound
        let recorders = Recorders()
        let client = try #require(world.connect(to: try listen(world, limits: limits, recorders)))
        #expect(world.run { recorders.all.first?.connection != nil })
        let recorder = try #require(recorders.all.first)
        let connection = try #require(recorder.connection)
        let zeros = try #require(Zeros(byteCount: 5 << 30))
        #expect(connection.write(zeros.bytes, keptAliveBy: zeros) == .accepted)
        #expect(connection.queuedBytes == 5 << 30)
        if bound < 5 << 30 {
            #expect(world.run { recorder.closeReason == .sendQueueOverflow })
            return
        }
        connection.write(zeros.bytes, keptAliveBy: zeros)
        #expect(connection.queuedBytes <= 10 << 30)
        #expect(world.run { client.received.count > 1 << 20 })
        #expect(connection.queuedBytes > 9 << 30)
        #expect(recorder.events == ["opened", "high"])
    }

    @Test(arguments: DriverKind.allCases)
    func `a queue of more runs than one send carries is sent whole`(driver: DriverKind) throws {
        final class Payload {
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4_096, alignment: 1)
            init() { bytes.initializeMemory(as: UInt8.self, repeating: 5) }
            deinit { bytes.deallocate() }
        }
        let world = try driver.makeWorld()
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 16 << 20
        let recorders = Recorders()
        let client = try #require(world.connect(to: try listen(world, limits: limits, recorders)))
        #expect(world.run { recorders.all.first?.connection != nil })
        let connection = try #require(recorders.all.first?.connection)
        client.stall()
        let payload = Payload()
        var written = 0
        #expect(
            world.run {
                for _ in 0..<100 {
                    let bytes = UnsafeRawBufferPointer(payload.bytes)
                    connection.write(bytes, keptAliveBy: payload)
                    written += bytes.count
                }
                return connection.queuedBytes > 1 << 20
            })
        client.resume()
        #expect(world.run { client.received.count == written })
    }

    @Test(arguments: DriverKind.allCases)
    func `a slow reader raises the high watermark once and the low one when it caught up`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 64 << 20
        let recorders = Recorders()
        let client = try #require(world.connect(to: try listen(world, limits: limits, recorders)))
        #expect(world.run { recorders.all.first?.connection != nil })
        let recorder = try #require(recorders.all.first)
        client.stall()
        var written = 0
        let chunk = [UInt8](repeating: 1, count: 50_000)
        #expect(
            world.run {
                if recorder.events.contains("high") { return true }
                written += chunk.count
                recorder.connection?.write(bytes: chunk)
                return false
            })
        #expect(recorder.connection?.write(bytes: chunk) == .aboveHighWatermark)
        written += chunk.count
        client.resume()
        #expect(world.run { client.received.count == written })
        #expect(world.run { recorder.events == ["opened", "high", "low"] })
    }

    @Test(arguments: DriverKind.allCases)
    func `a queue past its bound ends the connection by default`(driver: DriverKind) throws {
        let world = try driver.makeWorld()
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 200_000
        let recorders = Recorders()
        let client = try #require(world.connect(to: try listen(world, limits: limits, recorders)))
        #expect(world.run { recorders.all.first?.connection != nil })
        let recorder = try #require(recorders.all.first)
        client.stall()
        var most = 0
        #expect(
            world.run {
                recorder.connection?.write(bytes: [UInt8](repeating: 1, count: 10_000))
                most = max(most, recorder.connection?.queuedBytes ?? 0)
                return recorder.closeReason != nil
            })
        #expect(recorder.closeReason == .sendQueueOverflow)
        #expect(most <= 200_000)
        client.resume()
        #expect(world.run { client.isReset })
    }

    @Test(arguments: DriverKind.allCases)
    func `a queue past its bound refuses the write where the policy says so`(
        driver: DriverKind
    ) throws {
        let world = try driver.makeWorld()
        var limits = Connection.Limits()
        limits.sendQueueBytesMax = 100_000
        limits.overflow = .refuse
        let recorders = Recorders()
        let client = try #require(world.connect(to: try listen(world, limits: limits, recorders)))
        #expect(world.run { recorders.all.first?.connection != nil })
        let recorder = try #require(recorders.all.first)
        client.stall()
        var accepted = 0
        #expect(
            world.run {
                let outcome = recorder.connection?.write(bytes: [UInt8](repeating: 1, count: 9_999))
                if outcome == .refused { return true }
                accepted += 9_999
                return false
            })
        client.resume()
        #expect(world.run { client.received.count == accepted })
        #expect(recorder.connection != nil)
    }
}
