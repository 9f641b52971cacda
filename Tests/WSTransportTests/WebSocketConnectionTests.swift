import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("WebSocketConnection", .timeLimit(.minutes(10)))
struct WebSocketConnectionTests {
    @Test func `a message is delivered and the reply arrives unmasked`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        peer.send(Bench.frame("hello"))
        bench.network.runUntilIdle()
        #expect(bench.messages.map(\.kind) == [.text])
        #expect(peer.received == [0x81, 5] + Array("hello".utf8))
    }

    @Test func `frames that come with the upgrade request are not lost`() async throws {
        let bench = try await Bench()
        let peer = try bench.connect()
        peer.send(Bench.upgrade + Bench.frame("early") + Bench.frame("bird"))
        bench.network.runUntilIdle()
        #expect(bench.messages.map(\.bytes) == [Array("early".utf8), Array("bird".utf8)])
        #expect(peer.text.hasPrefix("HTTP/1.1 101 "))
        #expect(peer.received.suffix(6) == [0x81, 4] + Array("bird".utf8))
    }

    @Test func `all replies to what one turn received leave in one send`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        let before = bench.network.sends
        peer.send((0..<500).flatMap { Bench.frame("m\($0)") })
        bench.network.runUntilIdle()
        #expect(bench.messages.count == 500)
        #expect(bench.network.sends - before == 1)
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536, 300_000, 1 << 20])
    func `a message of any length is echoed`(count: Int) async throws {
        let bench = try await Bench { $0.connection.sendQueueBytesMax = 4 << 20 }
        let peer = try bench.upgraded()
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        peer.send(Bench.frame(payload, .binary))
        bench.network.runUntilIdle()
        #expect(bench.messages.map(\.bytes) == [payload])
        #expect(peer.received == FrameEncoder.frame(payload.span.bytes, opcode: .binary))
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `whatever is cut or delayed, messages come whole and in order`(seed: UInt64) async throws {
        let bench = try await Bench(seed: seed, faults: .cuts)
        let peer = try bench.upgraded()
        var random = SeededGenerator(seed: seed)
        var sent: [[UInt8]] = []
        for _ in 0..<20 {
            let count = [0, 1, 125, 126, 5_000, 16_384, 70_000].randomElement(using: &random) ?? 0
            sent.append((0..<count).map { _ in UInt8.random(in: 0...127, using: &random) })
        }
        for message in sent { peer.send(Bench.frame(message)) }
        peer.send(Bench.close(1000))
        bench.network.run(for: .seconds(60))
        #expect(bench.messages.map(\.bytes) == sent, "seed \(seed)")
        #expect(bench.reasons == [.peer(.normal)], "seed \(seed)")
        let expected = sent.flatMap { FrameEncoder.frame($0.span.bytes, opcode: .text) }
        #expect(peer.received == expected + [0x88, 2, 0x03, 0xe8], "seed \(seed)")
        #expect(bench.network.openDescriptors == 1, "seed \(seed)")
    }

    @Test func `a ping is answered with its payload`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        peer.send(Bench.frame([1, 2, 3], .ping))
        bench.network.runUntilIdle()
        #expect(peer.received == [0x8a, 3, 1, 2, 3])
    }

    @Test func `a ping that is given nothing carries a number of its own`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        let connection = try #require(bench.connections.first)
        connection.ping()
        connection.ping()
        bench.network.runUntilIdle()
        let pings = peer.takeReceived()
        try #require(pings.count == 20)
        #expect(pings.starts(with: [0x89, 8]) && pings[10...].starts(with: [0x89, 8]))
        #expect(pings[2..<10] != pings[12...])
        // Not asked for: it may be an answer to the heartbeat.
        peer.send(Bench.frame([], .pong))
        peer.send(Bench.frame(Array(pings[12...]), .pong))
        bench.network.runUntilIdle()
        #expect(bench.roundTrips.map { $0 == nil } == [true, false])
    }

    @Test func `the peer's close is echoed and ends the connection`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        peer.send(Bench.close(4000) + Bench.frame("after"))
        bench.network.runUntilIdle()
        #expect(peer.closeCode == 4000)
        #expect(peer.isEnded && !peer.isReset)
        peer.close()
        bench.network.runUntilIdle()
        #expect(bench.reasons == [.peer(CloseCode(rawValue: 4000))])
        #expect(bench.messages.isEmpty, "nothing after a close frame is a message")
        #expect(bench.calls == ["opened", "closed"])
    }

    @Test func `our close waits for the peer's answer`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        let connection = try #require(bench.connections.first)
        connection.send(text: "last")
        connection.close(.goingAway)
        #expect(connection.send(text: "late") == .closed)
        bench.network.runUntilIdle()
        #expect(peer.received == [0x81, 4] + Array("last".utf8) + [0x88, 2, 0x03, 0xe9])
        #expect(!peer.isEnded)
        peer.send(Bench.close(1001))
        bench.network.runUntilIdle()
        #expect(peer.isEnded)
        peer.close()
        bench.network.runUntilIdle()
        #expect(bench.reasons == [.local(.goingAway)])
    }

    @Test func `a close that is not answered is over after its timeout`() async throws {
        let bench = try await Bench { $0.closeTimeout = .seconds(3) }
        let peer = try bench.upgraded()
        bench.connections.first?.close()
        bench.network.run(for: .milliseconds(2_990))
        #expect(bench.reasons.isEmpty)
        bench.network.run(for: .milliseconds(20))
        #expect(bench.reasons == [.closeTimedOut])
        #expect(peer.isReset)
    }

    @Test func `after an abort in opened nothing is delivered either`() async throws {
        let bench = try await Bench()
        bench.onOpen = { $0.abort() }
        let peer = try bench.connect()
        peer.send(Bench.upgrade + Bench.frame("early"))
        bench.network.runUntilIdle()
        #expect(bench.messages.isEmpty)
        #expect(bench.calls == ["opened", "closed"])
    }

    @Test func `after a close messages are not delivered, and the answer is still seen`()
        async throws
    {
        let bench = try await Bench()
        bench.echoes = false
        bench.onMessage = { $0.close(.policyViolation) }
        let peer = try bench.upgraded()
        peer.send(Bench.frame("one") + Bench.frame("two"))
        bench.network.runUntilIdle()
        peer.send(Bench.frame("three") + Bench.close(1008))
        bench.network.runUntilIdle()
        #expect(bench.messages.count == 1)
        #expect(peer.closeCode == 1008)
        #expect(peer.isEnded)
    }

    @Test func `after an abort nothing more is delivered`() async throws {
        let bench = try await Bench()
        bench.echoes = false
        let peer = try bench.upgraded()
        bench.onMessage = { $0.abort() }
        peer.send(Bench.frame("one") + Bench.frame("two"))
        bench.network.runUntilIdle()
        #expect(bench.messages.count == 1)
        #expect(bench.calls == ["opened", "closed"])
    }

    @Test func `what stands before a violation is delivered, what stands behind it is not`()
        async throws
    {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        peer.send(
            Bench.frame("one") + [0x81, 0x81, 0, 0, 0, 0, 0xff] + Bench.frame("two"))
        bench.network.runUntilIdle()
        #expect(bench.messages.count == 1)
        #expect(peer.closeCode == 1007)
    }

    @Test func `behind a close of this side messages are passed over to the peer's close`()
        async throws
    {
        let bench = try await Bench()
        bench.echoes = false
        let peer = try bench.upgraded()
        bench.onMessage = { $0.close(.goingAway) }
        let close: [UInt8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]
        peer.send(Bench.frame("one") + Bench.frame("two") + close)
        bench.network.runUntilIdle()
        #expect(bench.messages.count == 1)
        #expect(peer.closeCode == 1001)
        #expect(peer.isEnded)
    }

    @Test(arguments: [
        ([0x83, 0x80, 0, 0, 0, 0] as [UInt8], 1002),  // A reserved opcode.
        ([0x81, 0x01, 0x41], 1002),  // Not masked.
        ([0xc1, 0x80, 0, 0, 0, 0], 1002),  // RSV1 without an extension.
        ([0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),  // Not UTF-8.
        ([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1002),  // A length of 2^63.
        ([0x82, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0], 1009),  // Too big.
    ])
    func `a violation is answered with its code and told`(bytes: [UInt8], code: Int) async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        peer.send(bytes)
        bench.network.runUntilIdle()
        #expect(peer.closeCode == code)
        #expect(peer.isEnded)
        peer.close()
        bench.network.runUntilIdle()
        guard case .violation(let violation)? = bench.reasons.first else {
            Issue.record("not a violation: \(bench.reasons)")
            return
        }
        #expect(Int(violation.closeCode.rawValue) == code)
    }

    @Test func `a lost transport is told as lost`() async throws {
        let bench = try await Bench()
        let (first, second) = (try bench.upgraded(), try bench.upgraded())
        first.close()
        second.reset()
        bench.network.runUntilIdle()
        #expect(bench.reasons.contains(.lost(.peer)))
        #expect(bench.reasons.contains(.lost(.reset)))
    }

    @Test func `silence is pinged, and given up after the timeout`() async throws {
        let bench = try await Bench {
            $0.heartbeat = Heartbeat(interval: .seconds(10), timeout: .seconds(25))
        }
        let peer = try bench.upgraded()
        bench.network.run(for: .seconds(9))
        #expect(peer.received.isEmpty)
        bench.network.run(for: .milliseconds(1_010))
        #expect(peer.takeReceived() == [0x89, 0])
        // An answer is life, and any other byte too.
        peer.send(Bench.frame([], .pong))
        bench.network.run(for: .seconds(9))
        #expect(peer.received.isEmpty)
        bench.network.run(for: .seconds(17))
        #expect(bench.reasons == [.heartbeatTimedOut])
        #expect(peer.isReset)
    }

    @Test
    func `the interval grows with each answer to its bound, and silence is found all the same`()
        async throws
    {
        let bench = try await Bench {
            $0.heartbeat = Heartbeat(
                interval: .seconds(10), timeout: .seconds(25), intervalMax: .seconds(20))
        }
        let peer = try bench.upgraded()
        var pings: [Int] = []
        for second in 1...100 {
            bench.network.run(for: .seconds(1))
            if peer.takeReceived() == [0x89, 0] {
                pings.append(second)
                peer.send(Bench.frame([], .pong))
            }
        }
        // 10, then 15, then 20 seconds after the last answer, which is up to one second late.
        let gaps = [pings[0]] + zip(pings, pings.dropFirst()).map { $1 - $0 }
        #expect((10...11).contains(gaps[0]))
        #expect((15...16).contains(gaps[1]))
        #expect(gaps.dropFirst(2).allSatisfy { (20...21).contains($0) })
        #expect(gaps.count == 5)
        bench.network.run(for: .seconds(60))
        #expect(bench.reasons == [.heartbeatTimedOut])
    }

    @Test func `a client that talks is not pinged`() async throws {
        let bench = try await Bench {
            $0.heartbeat = Heartbeat(interval: .seconds(10), timeout: .seconds(25))
        }
        bench.echoes = false
        let peer = try bench.upgraded()
        for _ in 0..<100 {
            bench.network.run(for: .seconds(5))
            peer.send(Bench.frame("x"))
        }
        #expect(peer.received.isEmpty)
        #expect(bench.reasons.isEmpty)
    }

    @Test func `a slow consumer is congested, then closed at its bound`() async throws {
        let bench = try await Bench {
            $0.connection.sendQueueBytesMax = 200_000
            $0.connection.highWatermark = 50_000
        }
        let peer = try bench.upgraded()
        peer.stall()
        let connection = try #require(bench.connections.first)
        let message = String(repeating: "x", count: 1_000)
        var most = 0
        for _ in 0..<400 where connection.isOpen {
            connection.send(text: message)
            bench.network.runUntilIdle()
            most = max(most, connection.queuedBytes)
        }
        #expect(bench.calls == ["opened", "congested", "closed"])
        #expect(bench.reasons == [.slowConsumer])
        #expect(most <= 200_000)
    }

    @Test func `pings without end of a client that does not read end at its bound (CVE-2021-3690)`()
        async throws
    {
        let bench = try await Bench {
            $0.connection.sendQueueBytesMax = 20_000
            $0.connection.highWatermark = 10_000
            $0.connection.lowWatermark = 1_000
            $0.limits.controlFramesPerSecondMax = 1_000_000
        }
        let peer = try bench.upgraded()
        peer.stall()
        let ping = Bench.frame([UInt8](repeating: 1, count: 125), .ping)
        for _ in 0..<1_000 where bench.reasons.isEmpty {
            peer.send(ping)
            bench.network.runUntilIdle()
        }
        #expect(bench.reasons == [.slowConsumer])
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `a client that leaves while it is upgraded leaves nothing behind (CVE-2025-11677)`(
        seed: UInt64
    ) async throws {
        let bench = try await Bench(seed: seed, faults: .cuts)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10 {
            guard let peer = bench.network.connect(to: bench.address) else { continue }
            let bytes = Bench.upgrade + Bench.frame("hello")
            peer.send(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator))))
            bench.network.run(for: .microseconds(Int.random(in: 0...300, using: &generator)))
            if Bool.random(using: &generator) { peer.reset() } else { peer.sendEnd() }
            if Bool.random(using: &generator) { bench.connections.last?.abort() }
        }
        bench.network.run(for: .seconds(30))
        #expect(bench.network.openDescriptors == 1, "seed \(seed)")
        #expect(bench.server.connectionCount == 0, "seed \(seed)")
        #expect(bench.calls.count { $0 == "opened" } == bench.reasons.count, "seed \(seed)")
    }

    @Test func `a slow consumer that catches up is drained`() async throws {
        let bench = try await Bench { $0.connection.highWatermark = 50_000 }
        let peer = try bench.upgraded()
        peer.stall()
        let connection = try #require(bench.connections.first)
        let prepared = PreparedMessage(text: String(repeating: "x", count: 20_000))
        for _ in 0..<20 {
            connection.send(prepared)
            bench.network.runUntilIdle()
        }
        #expect(bench.calls == ["opened", "congested"])
        peer.resume()
        bench.network.runUntilIdle()
        #expect(bench.calls == ["opened", "congested", "drained"])
        #expect(peer.received.count == 20 * prepared.bytes.count)
    }
}

/// Counts the pieces of messages.
///
/// `@unchecked Sendable`: everything runs in the test's own thread.
private final class PieceReader: WebSocketHandler, @unchecked Sendable {
    var pieces = 0
    var bytes: [UInt8] = []
    var ends = 0

    func received(_ message: RawSpan, kind: MessageKind, on connection: WebSocketConnection) {
        Issue.record("a message came whole")
    }

    func received(
        piece: RawSpan, of kind: MessageKind, isFirst: Bool, isLast: Bool,
        on connection: WebSocketConnection
    ) {
        if isFirst { bytes = [] }
        pieces += 1
        bytes += piece.withUnsafeBytes { Array($0) }
        if isLast { ends += 1 }
    }
}

@Suite("Reading messages in pieces", .timeLimit(.minutes(10)))
struct PieceReadingTests {
    @Test func `a message larger than any buffer is read as it comes`() async throws {
        let network = SimulatedNetwork()
        let reader = PieceReader()
        var configuration = WebSocketServer.Configuration()
        configuration.delivery = .pieces
        configuration.limits.messageBytesMax = 1 << 30
        configuration.limits.framePayloadBytesMax = 1 << 30
        let server = WebSocketServer(group: network.makeGroup(), configuration: configuration) {
            _, _, _ in .upgrade(reader)
        }
        let address = try await server.listen(on: .v4(0x0100_007f, port: 80))
        let peer = try #require(network.connect(to: address))
        let message = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        peer.send(Bench.upgrade + Bench.frame(message, .binary))
        network.runUntilIdle()
        #expect(reader.bytes == message)
        #expect(reader.pieces > 1 && reader.ends == 1)
    }
}
