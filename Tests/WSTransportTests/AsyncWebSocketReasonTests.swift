import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

/// What a task is told between the end of a WebSocket and that of its transport, and behind it.
@Suite("Why a task cannot go on", .timeLimit(.minutes(10)))
struct AsyncWebSocketReasonTests {
    /// What a task that sends, or pings, is told behind what its peer did.
    private func told(
        _ bytes: [UInt8], _ use: @escaping @Sendable (AsyncWebSocket) async throws -> Void
    ) async throws -> WebSocketError? {
        let bench = try await AsyncBench()
        let gate = AsyncGate()
        bench.serve { connection in
            await gate.pass()
            try await use(connection)
        }
        let peer = try bench.upgraded()
        peer.send(bytes)
        bench.network.runUntilIdle()
        gate.open()
        bench.network.runUntilIdle()
        return try #require(bench.outcomes.withLock { $0.first })
    }

    @Test func `a send behind the peer's close frame is told its code`() async throws {
        let error = try await told(Bench.close(4001)) { try await $0.send(text: "late") }
        #expect(error == .closed(.peer(CloseCode(rawValue: 4001))))
    }

    @Test func `a ping behind the peer's close frame is told its code`() async throws {
        let error = try await told(Bench.close(4001)) { _ = try await $0.ping() }
        #expect(error == .closed(.peer(CloseCode(rawValue: 4001))))
    }

    @Test func `a send behind a violation is told of it`() async throws {
        let error = try await told([0x83, 0x80, 0, 0, 0, 0]) { try await $0.send(text: "late") }
        guard case .closed(.violation(let violation)) = error else {
            Issue.record("told \(String(describing: error))")
            return
        }
        #expect(violation.closeCode == .protocolError)
    }

    @Test func `what the peer's close frame said is known to the task`() async throws {
        let bench = try await AsyncBench()
        let texts = Mutex<[String]>([])
        bench.serve { connection in
            let before = await connection.closeText
            _ = await connection.waitUntilClosed()
            let after = await connection.closeText
            texts.withLock { $0 = [before, after] }
        }
        let peer = try bench.upgraded()
        bench.network.runUntilIdle()
        peer.send(Bench.frame([0x0F, 0xA1] + Array("moved, é".utf8), .close))
        peer.sendEnd()
        bench.network.run(for: .seconds(1))
        #expect(texts.withLock { $0 } == ["", "moved, é"])
    }

    @Test func `a send or ping behind the transport's end, which was not told yet, is told of it`()
        async throws
    {
        let send = try await told([]) { connection in
            connection.abort()
            try await connection.send(text: "late")
        }
        #expect(send == .closed(.lost(.local)))
        let ping = try await told([]) { connection in
            connection.abort()
            _ = try await connection.ping()
        }
        #expect(ping == .closed(.lost(.local)))
    }

    @Test(arguments: [false, true])
    func `a server that drains hears its peer, though nobody reads`(isCompressed: Bool) async throws
    {
        let bench = try await AsyncBench {
            $0.heartbeat = nil
            if isCompressed { $0.compression = .shared }
        }
        let gate = AsyncGate()
        let reason = Mutex<WebSocketCloseReason?>(nil)
        bench.serve { connection in
            await gate.pass()
            for try await _ in connection.messages {}
            let ended = await connection.waitUntilClosed()
            reason.withLock { $0 = ended }
        }
        let transport: SimulatedPeer
        if isCompressed {
            transport = try #require(bench.network.connect(to: bench.address))
            let peer = try CompressingPeer(transport, bench.network)
            for _ in 0..<4 { peer.send(String(repeating: "x", count: 50_000)) }
        } else {
            transport = try bench.upgraded()
            transport.send(Bench.frame([UInt8](repeating: 1, count: 100_000), .binary))
        }
        bench.network.runUntilIdle()
        Task(executorPreference: bench.loop) { await bench.server.drain() }
        bench.network.runUntilIdle()
        #expect(transport.closeCode == 1001)
        transport.send(Bench.close(1001))
        transport.sendEnd()
        bench.network.run(for: .seconds(1))
        #expect(transport.isEnded && !transport.isReset)
        gate.open()
        bench.network.run(for: .seconds(1))
        #expect(reason.withLock { $0 } == .local(.goingAway))
        #expect(bench.outcomes.withLock { $0 } == [nil])
    }
}
