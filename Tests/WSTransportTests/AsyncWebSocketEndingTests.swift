import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("Ends of an AsyncWebSocket, simulated", .timeLimit(.minutes(10)))
struct AsyncWebSocketEndingTests {
    @Test func `a body that returns closes with 1000`() async throws {
        let bench = try await AsyncBench()
        bench.serve { connection in try await connection.send(text: "bye") }
        let peer = try bench.upgraded()
        bench.network.runUntilIdle()
        #expect(peer.closeCode == 1000)
        peer.send(Bench.close(1000))
        bench.network.runUntilIdle()
        #expect(peer.isEnded && !peer.isReset)
    }

    @Test func `what one task throws closes its WebSocket with 1011 and no other`() async throws {
        struct Fault: Error {}
        let bench = try await AsyncBench()
        bench.serve { connection in
            for try await message in connection.messages {
                if message.bytes.isEmpty { throw Fault() }
                try await connection.send(message)
            }
        }
        let (bad, good) = (try bench.upgraded(), try bench.upgraded())
        bad.send(Bench.frame(""))
        good.send(Bench.frame("a"))
        bench.network.runUntilIdle()
        #expect(bad.closeCode == 1011)
        #expect(good.frames == AsyncBench.plain([0x61]))
        #expect(!bench.serverEnded)
    }

    @Test(
        arguments: [
            (1000, nil), (1001, nil), (1008, WebSocketError.closed(.peer(.policyViolation))),
            (4000, .closed(.peer(CloseCode(rawValue: 4000)))),
        ] as [(UInt16, WebSocketError?)])
    func `the sequence ends in order, or throws why it did not`(
        code: UInt16, error: WebSocketError?
    ) async throws {
        let bench = try await AsyncBench()
        bench.serve(AsyncBench.echo)
        let peer = try bench.upgraded()
        peer.send(Bench.close(code))
        peer.sendEnd()
        bench.network.runUntilIdle()
        #expect(bench.outcomes.withLock { $0 } == [error])
    }

    @Test func `a violation is thrown`() async throws {
        let bench = try await AsyncBench()
        bench.serve(AsyncBench.echo)
        let peer = try bench.upgraded()
        peer.send([0x83, 0x80, 0, 0, 0, 0])
        bench.network.run(for: .seconds(10))
        #expect(peer.closeCode == 1002)
        let outcomes = bench.outcomes.withLock { $0 }
        guard case .closed(.violation(let violation))?? = outcomes.first else {
            Issue.record("ended with \(outcomes)")
            return
        }
        #expect(violation.closeCode == .protocolError)
    }

    @Test func `what waited is taken before the end is told`() async throws {
        let bench = try await AsyncBench()
        let gate = AsyncGate()
        let texts = Mutex<[String]>([])
        bench.serve { connection in
            await gate.pass()
            for try await message in connection.messages {
                texts.withLock { $0.append(message.text ?? "") }
            }
        }
        let peer = try bench.upgraded()
        peer.send(Bench.frame("one") + Bench.frame("two"))
        bench.network.runUntilIdle()
        peer.reset()
        bench.network.runUntilIdle()
        gate.open()
        bench.network.runUntilIdle()
        #expect(texts.withLock { $0 } == ["one", "two"])
        #expect(bench.outcomes.withLock { $0 } == [.closed(.lost(.reset))])
    }

    @Test func `cancelling the server closes its WebSockets with 1001 and ends it`() async throws {
        let bench = try await AsyncBench()
        bench.serve(AsyncBench.echo)
        let peers = [try bench.upgraded(), try bench.upgraded()]
        bench.cancel()
        bench.network.run(for: .milliseconds(1))
        #expect(peers.allSatisfy { $0.closeCode == 1001 })
        for peer in peers { peer.send(Bench.close(1001)) }
        bench.network.run(for: .seconds(15))
        #expect(bench.outcomes.withLock { $0 } == [.cancelled, .cancelled])
        #expect(bench.serverEnded)
        #expect(bench.network.openDescriptors == 0)
    }

    @Test func `draining ends the tasks in order`() async throws {
        let bench = try await AsyncBench()
        bench.serve(AsyncBench.echo)
        let peer = try bench.upgraded()
        Task(executorPreference: bench.loop) { await bench.server.drain(code: .serviceRestart) }
        bench.network.run(for: .milliseconds(1))
        #expect(peer.closeCode == 1012)
        peer.send(Bench.close(1012))
        peer.sendEnd()
        bench.network.run(for: .seconds(1))
        #expect(bench.outcomes.withLock { $0 } == [nil])
        #expect(bench.serverEnded)
    }

    @Test func `cancelling while a send waits throws`() async throws {
        let bench = try await AsyncBench { $0.heartbeat = nil }
        bench.serve { connection in
            let message = [UInt8](repeating: 7, count: 50_000)
            while true { try await connection.send(message.span.bytes, kind: .binary) }
        }
        let peer = try #require(bench.network.connect(to: bench.address, windowBytes: 16 << 10))
        peer.send(Bench.upgrade)
        peer.stall()
        bench.network.runUntilIdle()
        bench.cancel()
        bench.network.run(for: .seconds(60))
        #expect(bench.outcomes.withLock { $0 } == [.cancelled])
        #expect(bench.serverEnded)
    }

    @Test func `a close by this side ends the sequence, though it was paused`() async throws {
        let bench = try await AsyncBench()
        let reason = Mutex<WebSocketCloseReason?>(nil)
        bench.serve { connection in
            for try await _ in connection.messages { break }
            let ended = await connection.close(.policyViolation, reason: "enough")
            reason.withLock { $0 = ended }
            #expect(await connection.waitUntilClosed() == ended)
        }
        let peer = try bench.upgraded(windowBytes: 16 << 10)
        let frame = Bench.frame([UInt8](repeating: 1, count: 10_000), .binary)
        peer.send((0..<40).flatMap { _ in frame } + Bench.close(1008))
        peer.sendEnd()
        bench.network.run(for: .seconds(1))
        #expect(reason.withLock { $0 } == .local(.policyViolation))
        #expect(bench.outcomes.withLock { $0 } == [nil])
    }

    @Test func `a close is answered behind messages that nobody took`() async throws {
        let bench = try await AsyncBench { $0.heartbeat = nil }
        let gate = AsyncGate()
        let reason = Mutex<WebSocketCloseReason?>(nil)
        bench.serve { connection in
            await gate.pass()
            let ended = await connection.close(.policyViolation)
            reason.withLock { $0 = ended }
        }
        let peer = try bench.upgraded(windowBytes: 16 << 10)
        let frame = Bench.frame([UInt8](repeating: 1, count: 10_000), .binary)
        peer.send((0..<40).flatMap { _ in frame } + Bench.close(1008))
        peer.sendEnd()
        bench.network.runUntilIdle()
        gate.open()
        bench.network.run(for: .seconds(10))
        #expect(reason.withLock { $0 } == .local(.policyViolation))
    }

    @Test func `cancelling a child that reads ends its wait`() async throws {
        let bench = try await AsyncBench { $0.heartbeat = nil }
        let seen = Mutex<WebSocketError?>(nil)
        let gate = AsyncGate()
        bench.serve { connection in
            let reader = Task(executorPreference: connection.loop) { () -> WebSocketError? in
                do throws(WebSocketError) {
                    for try await _ in connection.messages {}
                    return nil
                } catch {
                    return error
                }
            }
            await gate.pass()
            reader.cancel()
            let error = await reader.value
            seen.withLock { $0 = error }
        }
        let peer = try bench.upgraded()
        bench.network.runUntilIdle()
        #expect(seen.withLock { $0 } == nil)
        gate.open()
        bench.network.run(for: .seconds(1))
        #expect(seen.withLock { $0 } == .cancelled)
        #expect(peer.closeCode == 1001)
    }

    @Test func `cancelling a child that sends ends its wait`() async throws {
        let bench = try await AsyncBench { $0.heartbeat = nil }
        let seen = Mutex<WebSocketError?>(nil)
        let gate = AsyncGate()
        bench.serve { connection in
            let writer = Task(executorPreference: connection.loop) { () -> WebSocketError? in
                let message = [UInt8](repeating: 7, count: 50_000)
                do throws(WebSocketError) {
                    while true { try await connection.send(message.span.bytes, kind: .binary) }
                } catch {
                    return error
                }
            }
            await gate.pass()
            writer.cancel()
            let error = await writer.value
            seen.withLock { $0 = error }
        }
        let peer = try #require(bench.network.connect(to: bench.address, windowBytes: 16 << 10))
        peer.send(Bench.upgrade)
        peer.stall()
        bench.network.runUntilIdle()
        #expect(seen.withLock { $0 } == nil)
        gate.open()
        bench.network.run(for: .seconds(1))
        #expect(seen.withLock { $0 } == .cancelled)
    }

    @Test func `upgrades are refused while a thousand WebSockets wait to be taken`() async throws {
        let bench = try await AsyncBench()
        var peers: [SimulatedPeer] = []
        for _ in 0..<1_030 {
            let peer = try #require(bench.network.connect(to: bench.address))
            peer.send(Bench.upgrade)
            peers.append(peer)
            bench.network.runUntilIdle()
        }
        #expect(peers.count { $0.text.hasPrefix("HTTP/1.1 101 ") } == 1_024)
        #expect(peers.count { $0.text.hasPrefix("HTTP/1.1 503 ") } == 6)
        bench.serve(AsyncBench.echo)
        #expect(bench.server.connectionCount == 1_024)
        _ = try bench.upgraded()
        bench.cancel()
        bench.network.run(for: .seconds(30))
        #expect(bench.serverEnded)
    }

    @Test func `the request decides, and the task knows it`() async throws {
        let bench = try await AsyncBench(accept: { request, _, _ in
            request.path == "/chat"
                ? .upgrade(subprotocol: request.header("X-Wanted"))
                : .respond(HTTPResponse(status: .notFound))
        })
        bench.serve { connection in
            let path = connection.request?.path ?? "none"
            try await connection.send(text: "\(path) \(connection.subprotocol ?? "none")")
        }
        for (wanted, offered, chosen) in [("a", "b, a", "a"), ("c", "a, b", "none")] {
            let peer = try #require(bench.network.connect(to: bench.address))
            let more = "X-Wanted: \(wanted)\r\nSec-WebSocket-Protocol: \(offered)\r\n\r\n"
            peer.send(Array(Bench.upgrade.dropLast(2)) + Array(more.utf8))
            bench.network.runUntilIdle()
            #expect(peer.text.contains("/chat \(chosen)"))
        }
        let lost = try #require(bench.network.connect(to: bench.address))
        lost.send(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        bench.network.runUntilIdle()
        #expect(lost.text.hasPrefix("HTTP/1.1 404 "))
    }
}
