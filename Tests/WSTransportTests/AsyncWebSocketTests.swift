import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("AsyncWebSocket, simulated", .timeLimit(.minutes(10)))
struct AsyncWebSocketTests {
    @Test func `an echo by a task ends when the peer closes`() async throws {
        let bench = try await AsyncBench()
        bench.serve(AsyncBench.echo)
        let peer = try bench.upgraded()
        peer.send(Bench.frame("one") + Bench.frame([0, 1], .binary) + Bench.frame(""))
        bench.network.runUntilIdle()
        let echoes =
            AsyncBench.plain(Array("one".utf8)) + AsyncBench.plain([0, 1], .binary)
            + AsyncBench.plain([])
        #expect(peer.frames == echoes)
        #expect(bench.server.connectionCount == 1)
        peer.send(Bench.close(1000))
        bench.network.runUntilIdle()
        #expect(peer.closeCode == 1000 && peer.isEnded && !peer.isReset)
        peer.sendEnd()
        bench.network.runUntilIdle()
        #expect(bench.outcomes.withLock { $0 } == [nil])
        #expect(!bench.serverEnded)
    }

    @Test func `a closure behind the call decides about requests`() async throws {
        let network = SimulatedNetwork()
        let server = AsyncWebSocketServer(group: network.makeGroup(loops: 1)) { request, _, _ in
            .respond(HTTPResponse(status: request.path == "/chat" ? .notFound : .badRequest))
        }
        let address = try await server.listen(on: .v4(0x0100_007f, port: 80))
        let peer = try #require(network.connect(to: address))
        peer.send(Bench.upgrade)
        let isAnswered = network.run(within: .seconds(5)) { peer.text.contains("\r\n\r\n") }
        #expect(isAnswered)
        #expect(peer.text.hasPrefix("HTTP/1.1 404 "))
    }

    @Test func `what a task answers to one read leaves with one system call`() async throws {
        let bench = try await AsyncBench()
        bench.serve(AsyncBench.echo)
        let peer = try bench.upgraded()
        let (turns, sends) = (bench.loop.metrics.turns, bench.loop.metrics.sends)
        peer.send((0..<16).flatMap { Bench.frame("message \($0)") })
        bench.network.runUntilIdle()
        #expect(peer.frames == (0..<16).flatMap { AsyncBench.plain(Array("message \($0)".utf8)) })
        #expect(bench.loop.metrics.sends - sends == 1)
        #expect(bench.loop.metrics.turns - turns == 1)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `all messages come back in order, whatever the network does`(seed: UInt64) async throws {
        let bench = try await AsyncBench(seed: seed, faults: .cuts) {
            $0.connection.inboundBytesMax = 1_000
            $0.connection.highWatermark = 3_000
            $0.connection.lowWatermark = 1_000
            $0.connection.sendQueueBytesMax = 8_000
            $0.limits.messageBytesMax = 20_000
        }
        bench.serve(AsyncBench.echo)
        var generator = SeededGenerator(seed: seed)
        var peers: [(peer: SimulatedPeer, expected: [UInt8])] = []
        for _ in 0..<3 {
            let peer = try bench.upgraded(windowBytes: 4_000)
            var expected: [UInt8] = []
            for _ in 0..<Int.random(in: 1...60, using: &generator) {
                let count = [0, 1, 125, 126, 3_000, 20_000].randomElement(using: &generator) ?? 0
                let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                peer.send(Bench.frame(bytes, .binary))
                expected += AsyncBench.plain(bytes, .binary)
            }
            peers.append((peer, expected))
        }
        let areBack = bench.network.run(within: .seconds(600)) {
            peers.allSatisfy { $0.peer.frames.count >= $0.expected.count || $0.peer.isReset }
        }
        #expect(areBack, "seed \(seed)")
        #expect(peers.allSatisfy { $0.peer.frames == $0.expected }, "seed \(seed)")
        for (peer, _) in peers { peer.send(Bench.close(1001)) }
        bench.network.run(for: .seconds(20))
        #expect(bench.outcomes.withLock { $0 } == [nil, nil, nil], "seed \(seed)")
        #expect(bench.network.openDescriptors == 1, "seed \(seed)")
    }

    @Test func `a peer that sends faster than the task takes is stopped by its window`()
        async throws
    {
        let bench = try await AsyncBench { $0.heartbeat = nil }
        let gate = AsyncGate()
        let total = Atomic<Int>(0)
        bench.serve { connection in
            await gate.pass()
            for try await message in connection.messages {
                total.add(message.bytes.count, ordering: .relaxed)
            }
        }
        let peer = try bench.upgraded(windowBytes: 16 << 10)
        let receives = bench.loop.metrics.receives
        let frame = Bench.frame([UInt8](repeating: 1, count: 1_000), .binary)
        peer.send((0..<1_000).flatMap { _ in frame })
        bench.network.runUntilIdle()
        // 64 KiB wait for the task, and one window for the loop; the peer keeps the rest.
        #expect(bench.loop.metrics.receives - receives <= 8)
        gate.open()
        bench.network.runUntilIdle()
        #expect(total.load(ordering: .relaxed) == 1_000_000)
    }

    @Test func `empty messages count against the bound, too (CVE-2026-48779)`() async throws {
        let bench = try await AsyncBench { $0.heartbeat = nil }
        let gate = AsyncGate()
        let count = Atomic<Int>(0)
        bench.serve { connection in
            await gate.pass()
            for try await _ in connection.messages { count.add(1, ordering: .relaxed) }
        }
        let peer = try bench.upgraded(windowBytes: 16 << 10)
        let receives = bench.loop.metrics.receives
        peer.send((0..<100_000).flatMap { _ in Bench.frame("") })
        bench.network.runUntilIdle()
        #expect(bench.loop.metrics.receives - receives <= 8)
        gate.open()
        bench.network.runUntilIdle()
        #expect(count.load(ordering: .relaxed) == 100_000)
    }

    @Test func `what would inflate for a task that is behind stays as it came`() async throws {
        let bench = try await AsyncBench {
            $0.heartbeat = nil
            $0.compression = .shared
        }
        let gate = AsyncGate()
        let connection = Mutex<AsyncWebSocket?>(nil)
        let taken = Mutex<[Int]>([])
        bench.serve { webSocket in
            connection.withLock { $0 = webSocket }
            await gate.pass()
            for try await message in webSocket.messages {
                taken.withLock { $0.append(message.bytes.count) }
            }
        }
        let transport = try #require(bench.network.connect(to: bench.address))
        let peer = try CompressingPeer(transport, bench.network)
        // 40 MB in some 50 KB.
        let bomb = String(repeating: "0", count: 400_000)
        peer.peer.send((0..<100).flatMap { _ in peer.frame(bomb) })
        bench.network.runUntilIdle()
        let waiting = try #require(connection.withLock { $0?.waitingBytes })
        #expect(waiting >= 64 << 10 && waiting <= 64 << 10 + 400_100)
        gate.open()
        bench.network.runUntilIdle()
        #expect(taken.withLock { $0 } == [Int](repeating: 400_000, count: 100))
        #expect(connection.withLock { $0?.waitingBytes } == 0)
        connection.withLock { $0 = nil }
    }

    @Test func `a peer is not taken for silent while the task does not read`() async throws {
        let bench = try await AsyncBench()
        let gate = AsyncGate()
        bench.serve { connection in
            await gate.pass()
            try await AsyncBench.echo(connection)
        }
        let peer = try bench.upgraded(windowBytes: 1 << 20)
        let frame = Bench.frame([UInt8](repeating: 7, count: 100_000), .binary)
        peer.send(frame + frame)
        bench.network.run(for: .seconds(300))
        #expect(!peer.isReset)
        gate.open()
        bench.network.run(for: .seconds(5))
        let echoes = peer.frames.count { $0 == 7 }
        #expect(echoes == 200_000)
    }

    @Test func `a send waits while the peer does not read`() async throws {
        let bench = try await AsyncBench { $0.heartbeat = nil }
        let sent = Atomic<Int>(0)
        bench.serve { connection in
            let message = [UInt8](repeating: 7, count: 10_000)
            for _ in 0..<100 {
                try await connection.send(message.span.bytes, kind: .binary)
                sent.add(1, ordering: .relaxed)
            }
        }
        let peer = try #require(bench.network.connect(to: bench.address, windowBytes: 16 << 10))
        peer.send(Bench.upgrade)
        peer.stall()
        bench.network.runUntilIdle()
        // The window, the high watermark of 64 KiB, and the message that rose above it.
        #expect(sent.load(ordering: .relaxed) < 10)
        #expect(sent.load(ordering: .relaxed) > 4)
        peer.resume()
        bench.network.runUntilIdle()
        #expect(sent.load(ordering: .relaxed) == 100)
        #expect(peer.received.count > 1_000_000)
    }

    @Test func `messages of several tasks are sent one after the other`() async throws {
        let bench = try await AsyncBench()
        bench.serve { connection in
            await withTaskGroup { tasks in
                for letter in UInt8(ascii: "a")...UInt8(ascii: "f") {
                    tasks.addTask(executorPreference: connection.loop) {
                        let message = [UInt8](repeating: letter, count: 50_000)
                        for _ in 0..<4 {
                            // Checked by what arrives.
                            try? await connection.send(message.span.bytes, kind: .binary)
                        }
                    }
                }
            }
        }
        let peer = try bench.upgraded(windowBytes: 10_000)
        bench.network.runUntilIdle()
        let received = peer.frames
        let frames = received.count / 50_004
        #expect(frames == 24)
        let areWhole = (0..<frames).allSatisfy { index in
            let frame = received[(index * 50_004)..<((index + 1) * 50_004)]
            return Set(frame.dropFirst(4)).count == 1
        }
        #expect(areWhole)
    }

    @Test(arguments: [0, 1])
    func `the longest message fits, one byte more is a typed error`(beyond: Int) async throws {
        let bench = try await AsyncBench {
            $0.limits.messageBytesMax = 100_000
            $0.connection.sendQueueBytesMax = 1
            $0.connection.highWatermark = 0
            $0.connection.lowWatermark = 0
        }
        bench.serve { connection in
            let message = [UInt8](repeating: 7, count: 100_000 + beyond)
            try await connection.send(message.span.bytes, kind: .binary)
        }
        let peer = try bench.upgraded()
        bench.network.runUntilIdle()
        let error = WebSocketError.messageTooLong(bytes: 100_001, max: 100_000)
        #expect(bench.outcomes.withLock { $0 } == [beyond == 0 ? nil : error])
        #expect((peer.received.count > 100_000) == (beyond == 0))
    }

    @Test func `the round trip of a ping is measured`() async throws {
        let bench = try await AsyncBench()
        let trips = Mutex<[Duration]>([])
        bench.serve { connection in
            async let first = connection.ping()
            async let second = connection.ping()
            let both = try await [first, second]
            trips.withLock { $0 = both }
        }
        let peer = try bench.upgraded()
        bench.network.run(for: .milliseconds(300))
        // Two pings came; only the latest is answered (RFC 6455 §5.5.3).
        let received = peer.frames
        try #require(received.count == 20)
        #expect(received[0] == 0x89 && received[10] == 0x89)
        peer.send(Bench.frame([1, 2, 3], .pong))
        bench.network.run(for: .milliseconds(200))
        #expect(trips.withLock { $0 } == [])
        peer.send(Bench.frame(Array(received[12...]), .pong))
        bench.network.run(for: .milliseconds(1))
        #expect(trips.withLock { $0.count } == 2)
        #expect(trips.withLock { $0.allSatisfy { $0 == .milliseconds(500) } })
    }

    @Test func `a ping carries the payload it is given`() async throws {
        let bench = try await AsyncBench()
        let trips = Mutex<[Duration]>([])
        bench.serve { connection in
            let payload = [UInt8](repeating: 7, count: 125)
            async let first = connection.ping(payload.span.bytes)
            async let second = connection.ping(payload.span.bytes)
            let both = try await [first, second]
            trips.withLock { $0 = both }
        }
        let peer = try bench.upgraded()
        bench.network.run(for: .milliseconds(300))
        let ping = AsyncBench.plain([UInt8](repeating: 7, count: 125), .ping)
        #expect(peer.frames == ping + ping)
        // What is not the payload, or only begins like it, is no answer.
        peer.send(Bench.frame([], .pong))
        peer.send(Bench.frame([UInt8](repeating: 7, count: 124), .pong))
        let pong = Bench.frame([UInt8](repeating: 7, count: 125), .pong)
        peer.send(pong)
        bench.network.run(for: .milliseconds(200))
        #expect(trips.withLock { $0 } == [])
        peer.send(pong)
        bench.network.run(for: .milliseconds(1))
        #expect(trips.withLock { $0 } == [.milliseconds(300), .milliseconds(500)])
    }

    @Test func `a ping that is cancelled leaves the WebSocket open`() async throws {
        let bench = try await AsyncBench()
        let seen = Mutex<WebSocketError?>(nil)
        bench.serve { connection in
            let ping = Task(executorPreference: connection.loop) { () -> WebSocketError? in
                do throws(WebSocketError) {
                    _ = try await connection.ping()
                    return nil
                } catch {
                    return error
                }
            }
            for try await message in connection.messages {
                if message.text == "stop" { ping.cancel() }
                let error = await ping.value
                seen.withLock { $0 = error }
                try await connection.send(text: "stopped")
            }
        }
        let peer = try bench.upgraded()
        bench.network.runUntilIdle()
        peer.send(Bench.frame("stop"))
        bench.network.runUntilIdle()
        #expect(seen.withLock { $0 } == .cancelled)
        #expect(peer.text.hasSuffix("stopped"))
    }

    @Test func `a ping fails when the WebSocket ends`() async throws {
        let bench = try await AsyncBench()
        bench.serve { connection in _ = try await connection.ping() }
        let peer = try bench.upgraded()
        bench.network.runUntilIdle()
        peer.reset()
        bench.network.runUntilIdle()
        #expect(bench.outcomes.withLock { $0 } == [.closed(.lost(.reset))])
    }
}

/// Lets tasks through once it is open.
final class AsyncGate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiters: [CheckedContinuation<Void, Never>])>(
        (false, []))

    func pass() async {
        await withCheckedContinuation { waiter in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(waiter) }
                return state.isOpen
            }
            if isOpen { waiter.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
