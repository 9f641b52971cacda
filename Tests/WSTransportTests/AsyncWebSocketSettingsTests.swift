import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("What tasks may choose: compression and headers", .timeLimit(.minutes(10)))
struct AsyncWebSocketSettingsTests {
    @Test func `a message of a task may be exempt from compression`() async throws {
        let bench = try await AsyncBench {
            $0.compression = .shared
            $0.connection.highWatermark = 1_000
            $0.connection.lowWatermark = 500
        }
        let words = String(repeating: "words that come again and again ", count: 20)
        bench.serve { connection in
            for try await message in connection.messages {
                try await connection.send(text: words, compression: .never)
                try await connection.send(text: words)
                try await connection.send(
                    words.utf8Span.span.bytes, kind: .text, compression: .never)
                try await connection.send(message, compression: .never)
                // Behind a message that waits for room, in turn.
                let long = String(repeating: words, count: 100)
                async let first: Void = connection.send(text: long, compression: .never)
                async let second: Void = connection.send(text: words, compression: .never)
                async let third: Void = connection.send(message, compression: .never)
                async let last: Void = connection.send(message)
                _ = try await (first, second, third, last)
            }
        }
        let transport = try #require(bench.network.connect(to: bench.address, windowBytes: 4_000))
        let peer = try CompressingPeer(transport, bench.network)
        peer.send(words)
        bench.network.runUntilIdle()
        let frames = peer.frameHeads(in: transport.received)
        #expect(frames == [0x81, 0xC1, 0x81, 0x81, 0x81, 0x81, 0x81, 0xC1])
        #expect(try peer.receive().count == 8)
    }

    @Test func `tasks are given messages whole, whatever the configuration says`() async throws {
        let bench = try await AsyncBench { $0.delivery = .pieces }
        bench.serve { connection in
            for try await message in connection.messages { try await connection.send(message) }
        }
        let transport = try #require(bench.network.connect(to: bench.address))
        let peer = try CompressingPeer(transport, bench.network)
        peer.send("in one piece")
        bench.network.runUntilIdle()
        #expect(try peer.receive().count == 1)
    }

    @Test func `a rule by request decides about compression`() async throws {
        let bench = try await AsyncBench({ $0.compression = .shared }) { request, _, _ in
            switch request.header("User-Agent") {
            case "spared": .upgrade(compression: .off)
            case "other": .upgrade(compression: .with(.context))
            default: .upgrade()
            }
        }
        let client = WebSocketClient(group: bench.group)
        let agreed = Mutex<[PerMessageDeflate?]>([])
        for agent in ["spared", "other", "any"] {
            let header = try HTTPHeader(name: "User-Agent", value: agent)
            let request = WebSocketRequest(
                host: "127.0.0.1", compression: .with(.context), headers: [header])
            Task(executorPreference: bench.loop) { @Sendable in
                let connection = try await client.connect(request, on: bench.loop)
                agreed.withLock { $0.append(connection.opening?.compression) }
            }
            bench.network.run(for: .seconds(1))
        }
        let context = PerMessageDeflate(serverWindowBits: 12, clientWindowBits: 12)
        var shared = context
        shared.serverNoContextTakeover = true
        shared.clientNoContextTakeover = true
        #expect(agreed.withLock { $0 } == [nil, context, shared])
    }

    @Test func `headers of the application go into the answer to an upgrade`() async throws {
        let cookie = HTTPHeader("Set-Cookie", "a=b")
        let bench = try await AsyncBench(accept: { _, _, _ in .upgrade(headers: [cookie]) })
        let peer = try bench.upgraded()
        #expect(peer.text.hasSuffix("\r\nSet-Cookie: a=b\r\n\r\n"))
    }
}
