import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("HTTPStream", .timeLimit(.minutes(10)))
struct HTTPStreamTests {
    struct Failure: Error {}

    /// Streams of which the test says when they go on.
    ///
    /// `@unchecked Sendable`: everything runs in the test's own thread.
    final class Source: @unchecked Sendable {
        private var waiter: UnsafeContinuation<Void, Never>?
        private(set) var written = 0
        private(set) var ended: [String] = []

        func produce(_ writer: HTTPBodyWriter) async throws {
            defer { ended.append(Task.isCancelled ? "cancelled" : "ended") }
            try await writer.write("one")
            await withTaskCancellationHandler {
                await withUnsafeContinuation { waiter = $0 }
            } onCancel: {
                goOn()
            }
            try await writer.write("")
            try await writer.write("two")
        }

        func produceMuch(_ writer: HTTPBodyWriter) async throws {
            defer { ended.append(Task.isCancelled ? "cancelled" : "ended") }
            for _ in 0..<100 {
                try await writer.write([UInt8](repeating: 0x78, count: 100_000))
                written += 100_000
            }
        }

        /// Several tasks, each with a piece of its own letter at a time.
        func produceTogether(_ writer: HTTPBodyWriter, _ loop: EventLoop) async throws {
            defer { ended.append(Task.isCancelled ? "cancelled" : "ended") }
            try await withThrowingTaskGroup { tasks in
                for letter in UInt8(ascii: "a")..<UInt8(ascii: "q") {
                    tasks.addTask(executorPreference: loop) {
                        let piece = [UInt8](repeating: letter, count: 64 << 10)
                        for _ in 0..<2 { try await writer.write(piece) }
                    }
                }
                try await tasks.waitForAll()
            }
        }

        func goOn() {
            waiter?.resume()
            waiter = nil
        }
    }

    private static func get(_ path: String, _ version: String = "1.1") -> String {
        "GET \(path) HTTP/\(version)\r\nHost: h\r\n\r\n"
    }

    private func bench(
        _ source: Source, _ configure: (inout WebSocketServer.Configuration) -> Void = { _ in }
    ) async throws -> HTTPBench {
        try await HTTPBench(configure) { router in
            router.on(.get, "/two", .byStream { _ in HTTPStream { try await source.produce($0) } })
            router.on(
                .get, "/much", .byStream { _ in HTTPStream { try await source.produceMuch($0) } })
            router.on(
                .get, "/together",
                .byStream { call in
                    HTTPStream { try await source.produceTogether($0, call.loop) }
                })
            router.on(
                .get, "/breaks",
                .byStream { _ in
                    HTTPStream { writer in
                        try await writer.write("part")
                        throw Failure()
                    }
                })
            router.on(.get, "/refuses", .byStream { _ in throw Failure() })
        }
    }

    @Test func `pieces are chunks, and the next request follows the last`() async throws {
        let source = Source()
        let bench = try await bench(source)
        let peer = try bench.connect()
        bench.send(Self.get("/two") + Self.get("/"), on: peer)
        #expect(peer.text.contains("Transfer-Encoding: chunked\r\n"))
        #expect(peer.text.hasSuffix("\r\n\r\n3\r\none\r\n"))
        source.goOn()
        bench.network.runUntilIdle()
        #expect(peer.text.contains("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK"))
        #expect(peer.text.hasSuffix("root") && !peer.isEnded)
        #expect(bench.accesses.map(\.responseBodyBytes) == [6, 4])
    }

    @Test func `to HTTP 1.0 the body ends with the connection`() async throws {
        let source = Source()
        let bench = try await bench(source)
        let peer = try bench.connect()
        bench.send(Self.get("/two", "1.0"), on: peer)
        source.goOn()
        bench.network.runUntilIdle()
        #expect(!peer.text.contains("chunked") && peer.text.contains("Connection: close\r\n"))
        #expect(peer.text.hasSuffix("\r\n\r\nonetwo") && peer.isEnded && !peer.isReset)
    }

    @Test func `HEAD has the head only`() async throws {
        let source = Source()
        let bench = try await bench(source)
        let peer = try bench.connect()
        bench.send("HEAD /two HTTP/1.1\r\nHost: h\r\n\r\n" + Self.get("/"), on: peer)
        #expect(peer.text.contains("Transfer-Encoding: chunked\r\n") && !peer.text.contains("one"))
        #expect(peer.text.hasSuffix("root") && source.ended.isEmpty)
    }

    @Test func `a body that breaks off does not look whole`() async throws {
        let bench = try await bench(Source())
        let peer = try bench.connect()
        bench.send(Self.get("/breaks"), on: peer)
        #expect(peer.isReset && !peer.text.contains("0\r\n\r\n"))
        #expect(bench.failures.count == 1 && bench.network.openDescriptors == 1)
        let other = try bench.connect()
        bench.send(Self.get("/refuses") + Self.get("/"), on: other)
        #expect(other.text.hasPrefix("HTTP/1.1 500 ") && other.text.hasSuffix("root"))
    }

    @Test func `writing waits while the client does not read`() async throws {
        let source = Source()
        let bench = try await bench(source)
        let peer = try bench.connect()
        peer.stall()
        bench.send(Self.get("/much"), on: peer)
        #expect(source.written < 500_000)
        bench.network.run(for: .seconds(9))
        peer.resume()
        bench.network.runUntilIdle()
        #expect(source.written == 10_000_000 && source.ended == ["ended"])
        #expect(peer.text.hasSuffix("\r\n0\r\n\r\n") && !peer.isEnded)
    }

    @Test(arguments: ["1.1", "1.0"], [96 << 10, 1 << 20])
    func `a slow client gets all of it, however short the queue`(
        version: String, queueBytesMax: Int
    ) async throws {
        let source = Source()
        let bench = try await bench(source) { $0.connection.sendQueueBytesMax = queueBytesMax }
        let peer = try bench.connect()
        peer.stall()
        bench.send(Self.get("/much", version), on: peer)
        bench.takeSlowly(peer, bytes: 10_000_000, windowsMax: 400)
        #expect(source.written == 10_000_000 && source.ended == ["ended"])
        #expect(peer.received.count > 10_000_000)
        #expect(peer.isEnded == (version == "1.0") && !peer.isReset)
    }

    @Test(arguments: [96 << 10, 1 << 20])
    func `what several tasks write waits as what one writes, and stays in pieces`(
        queueBytesMax: Int
    ) async throws {
        let source = Source()
        let bench = try await bench(source) { $0.connection.sendQueueBytesMax = queueBytesMax }
        let peer = try bench.connect()
        peer.stall()
        bench.send(Self.get("/together"), on: peer)
        bench.network.run(for: .seconds(9))
        #expect(!peer.isReset && source.ended.isEmpty)
        peer.resume()
        bench.network.runUntilIdle()
        #expect(source.ended == ["ended"] && peer.text.hasSuffix("\r\n0\r\n\r\n"))
        let body = peer.received.split(separator: 13).map { $0.dropFirst() }
        let chunks = body.filter { $0.count > 20 && $0.first.map { $0 >= 0x61 } == true }
        #expect(chunks.allSatisfy { Set($0).count == 1 })
        #expect(chunks.reduce(0) { $0 + $1.count } == 32 << 16)
    }

    @Test func `a client that takes nothing is reset, and the task told`() async throws {
        let source = Source()
        let bench = try await bench(source)
        let peer = try bench.connect()
        peer.stall()
        bench.send(Self.get("/much"), on: peer)
        bench.network.run(for: .milliseconds(10_100))
        #expect(peer.isReset && source.ended == ["cancelled"])
        #expect(bench.network.openDescriptors == 1)
    }

    @Test func `a stream may last longer than an answer may take`() async throws {
        let source = Source()
        let bench = try await bench(source)
        let peer = try bench.connect()
        bench.send(Self.get("/two"), on: peer)
        bench.network.run(for: .seconds(600))
        #expect(!peer.isEnded)
        source.goOn()
        bench.network.runUntilIdle()
        #expect(peer.text.hasSuffix("0\r\n\r\n"))
    }

    @Test func `a client that is gone, or draining, cancels the task`() async throws {
        for drains in [false, true] {
            let source = Source()
            let bench = try await bench(source)
            let peer = try bench.connect()
            bench.send(Self.get("/two"), on: peer)
            if drains {
                bench.server.beginDrain(code: .goingAway, deadline: .seconds(10)) {}
            } else {
                peer.reset()
            }
            bench.network.runUntilIdle()
            #expect(source.ended == ["cancelled"])
            #expect(peer.isEnded == drains)
        }
    }
}
