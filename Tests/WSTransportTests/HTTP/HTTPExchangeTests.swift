import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("HTTPExchange", .timeLimit(.minutes(10)))
struct HTTPExchangeTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let late = "GET /late HTTP/1.1\r\nHost: h\r\n\r\n"

    // MARK: - Answers

    @Test func `HEAD has the length of the answer and no body`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", on: peer)
        #expect(peer.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(peer.text.contains("Content-Length: 4\r\n") && peer.text.hasSuffix("\r\n\r\n"))
        #expect(bench.accesses.map(\.responseBodyBytes) == [0])
    }

    @Test func `OPTIONS and 405 say what is allowed`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send("OPTIONS /late HTTP/1.1\r\nHost: h\r\n\r\n", on: peer)
        #expect(peer.text.contains("Allow: GET, HEAD, OPTIONS, POST\r\n"))
        #expect(!peer.text.contains("Content-Length"))
    }

    @Test func `the body is asked for where the client waits for that`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        let head =
            "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        bench.send(head, on: peer)
        #expect(peer.text == "HTTP/1.1 100 Continue\r\n\r\n")
        bench.send("ab", on: peer)
        #expect(answers(in: peer.text) == ["100", "200 ab"])
    }

    @Test func `a body that came with its head is not asked for`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send(
            "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
            on: peer)
        #expect(answers(in: peer.text) == ["200 ab"])
    }

    @Test(arguments: ["/small", "/none"])
    func `a body that is not wanted is not asked for`(path: String) async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send(
            "POST \(path) HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
            on: peer)
        let status = path == "/small" ? "413" : "404"
        #expect(peer.text.hasPrefix("HTTP/1.1 \(status) ") && peer.isEnded)
    }

    // MARK: - Tasks

    @Test func `pipelined requests behind a task are answered in their order`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send(Self.late + Self.get + Self.late + Self.get, on: peer)
        #expect(peer.received.isEmpty && bench.gate.calls.count == 1)
        bench.gate.open(HTTPResponse(status: .ok, text: "first"))
        bench.network.runUntilIdle()
        #expect(answers(in: peer.text) == ["200 first", "200 root"])
        bench.gate.open(HTTPResponse(status: .ok, text: "second"))
        bench.network.runUntilIdle()
        #expect(answers(in: peer.text) == ["200 first", "200 root", "200 second", "200 root"])
        #expect(!peer.isEnded)
    }

    @Test func `reading pauses while too much waits behind a task`() async throws {
        let bench = try await HTTPBench {
            $0.pipelinedBytesMax = 1_000
            $0.requestsPerConnectionMax = 20_000
        }
        let peer = try bench.connect()
        bench.send(Self.late, on: peer)
        let requests = 10_000
        bench.send(String(repeating: Self.get, count: requests), on: peer)
        // What the server read, and what waits in the network, is far from all.
        #expect(peer.unsentBytes > requests * Self.get.utf8.count / 2)
        bench.gate.open()
        bench.network.runUntilIdle()
        #expect(answers(in: peer.text).count == requests + 1)
    }

    @Test func `a task is cancelled when its client is gone`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send(Self.late, on: peer)
        #expect(!bench.gate.isCancelled)
        peer.close()
        bench.network.runUntilIdle()
        #expect(bench.gate.isCancelled)
        bench.network.run(for: .seconds(10))
        #expect(bench.network.openDescriptors == 1)
    }

    @Test func `a client that ended its side gets what the task still answers`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send("GET /stubborn HTTP/1.1\r\nHost: h\r\n\r\n", on: peer)
        peer.sendEnd()
        bench.network.runUntilIdle()
        #expect(answers(in: peer.text) == ["200 cancelled"] && peer.isEnded)
    }

    @Test func `a task that does not answer in time is cancelled and 503 answered`() async throws {
        let bench = try await HTTPBench { $0.responseTimeout = .seconds(7) }
        let peer = try bench.connect()
        bench.send(Self.late, on: peer)
        bench.network.run(for: .milliseconds(6_900))
        #expect(peer.received.isEmpty)
        bench.network.run(for: .milliseconds(200))
        #expect(peer.text.hasPrefix("HTTP/1.1 503 ") && peer.isEnded && bench.gate.isCancelled)
        #expect(bench.failures == ["its responder did not answer in time; answered 503"])
    }

    @Test func `draining lets what is being served finish`() async throws {
        let bench = try await HTTPBench()
        let (idle, busy) = (try bench.connect(), try bench.connect())
        bench.send(Self.late, on: busy)
        bench.server.beginDrain(code: .goingAway, deadline: .seconds(10)) {}
        bench.network.runUntilIdle()
        #expect(idle.isEnded && !busy.isEnded)
        bench.gate.open()
        bench.network.runUntilIdle()
        #expect(answers(in: busy.text) == ["200 late"] && busy.isEnded)
        #expect(busy.text.contains("Connection: close\r\n"))
    }

    // MARK: - Deadlines

    @Test func `a body one byte a second ends with 408 at its deadline`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n", on: peer)
        for _ in 0..<29 {
            bench.send("x", on: peer)
            bench.network.run(for: .seconds(1))
        }
        #expect(peer.received.isEmpty)
        bench.network.run(for: .milliseconds(1_100))
        #expect(peer.text.hasPrefix("HTTP/1.1 408 ") && peer.isEnded)
    }

    @Test func `a connection waits for its next request as long as it may`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send(Self.get, on: peer)
        bench.network.run(for: .seconds(59))
        #expect(!peer.isEnded)
        bench.send(Self.get, on: peer)
        bench.network.run(for: .milliseconds(60_100))
        #expect(answers(in: peer.text) == ["200 root", "200 root"] && peer.isEnded)
        #expect(bench.failures.isEmpty)
    }

    @Test func `a later head has its deadline from its first byte`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send(Self.get, on: peer)
        bench.network.run(for: .seconds(30))
        bench.send("GET /", on: peer)
        bench.network.run(for: .seconds(9))
        #expect(answers(in: peer.text).count == 1)
        bench.network.run(for: .milliseconds(1_100))
        #expect(answers(in: peer.text).count == 2 && peer.text.contains("HTTP/1.1 408 "))
    }

    // MARK: - Bounds

    @Test func `an answer longer than the send queue reaches a client that is slow`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        peer.stall()
        bench.send("GET /long/3000000 HTTP/1.1\r\nHost: h\r\n\r\n" + Self.get, on: peer)
        for _ in 0..<20 {
            bench.network.run(for: .seconds(9))
            peer.resume()
            bench.network.run(for: .nanoseconds(1))
            peer.stall()
        }
        peer.resume()
        bench.network.runUntilIdle()
        #expect(peer.received.count > 3_000_000 && peer.text.hasSuffix("\r\n\r\nroot"))
    }

    @Test(arguments: ["Connection: close\r\n", "", nil])
    func `the last answer is sent as long as its client takes it`(header: String?) async throws {
        let bench = try await HTTPBench {
            if header == "" { $0.requestsPerConnectionMax = 1 }
        }
        let peer = try bench.connect()
        peer.stall()
        bench.send("GET /long/1000000 HTTP/1.1\r\nHost: h\r\n\(header ?? "")\r\n", on: peer)
        if header == nil {
            bench.server.beginDrain(code: .goingAway, deadline: .seconds(1_000)) {}
        }
        bench.takeSlowly(peer, bytes: 1_000_000, windowsMax: 60)
        #expect(peer.received.count > 1_000_000)
        #expect(peer.isEnded && !peer.isReset)
    }

    @Test func `a client that takes nothing of its last answer is reset`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        peer.stall()
        bench.send("GET /long/120000 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", on: peer)
        bench.network.run(for: .milliseconds(9_900))
        #expect(!peer.isReset)
        bench.network.run(for: .milliseconds(200))
        #expect(peer.isReset && bench.network.openDescriptors == 1)
    }

    @Test func `a client that takes nothing of its answer is reset`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        peer.stall()
        bench.send("GET /long/3000000 HTTP/1.1\r\nHost: h\r\n\r\n", on: peer)
        bench.network.run(for: .milliseconds(10_100))
        #expect(peer.isReset && bench.network.openDescriptors == 1)
    }

    @Test func `the last request a connection may have is told so`() async throws {
        let bench = try await HTTPBench { $0.requestsPerConnectionMax = 2 }
        let peer = try bench.connect()
        bench.send(Self.get + Self.get + Self.get, on: peer)
        #expect(answers(in: peer.text) == ["200 root", "200 root"] && peer.isEnded)
        #expect(peer.text.contains("Connection: close\r\n"))
    }

    @Test func `bodies of all connections together are bounded`() async throws {
        let bench = try await HTTPBench { $0.bodiesBytesMax = 10 }
        let (first, second) = (try bench.connect(), try bench.connect())
        let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n"
        bench.send(head + "12345", on: first)
        bench.send(head + "123456", on: second)
        #expect(second.text.hasPrefix("HTTP/1.1 503 ") && second.isEnded)
        bench.send("6", on: first)
        #expect(answers(in: first.text) == ["200 123456"])
        let third = try bench.connect()
        bench.send(head + "123456", on: third)
        #expect(answers(in: third.text) == ["200 123456"])
        #expect(bench.failures == ["bodiesBytesMax reached; answered 503"])
    }

    @Test func `an address has so many plain connections, and gets them back`() async throws {
        let bench = try await HTTPBench { $0.handshakesPerAddressMax = 2 }
        let peers = try (0..<3).map { _ in try bench.connect(from: "203.0.113.7") }
        #expect(peers[2].text.hasPrefix("HTTP/1.1 429 ") && peers[2].isEnded)
        let other = try bench.connect(from: "203.0.113.8")
        bench.send(Self.get, on: other)
        #expect(answers(in: other.text) == ["200 root"])
        // A WebSocket counts no more, and neither does what has ended.
        let upgrade = String(decoding: Bench.upgrade, as: UTF8.self).replacing("/chat", with: "/ws")
        peers[0].send(Array(upgrade.utf8))
        peers[1].close()
        bench.network.runUntilIdle()
        for _ in 0..<2 {
            let next = try bench.connect(from: "203.0.113.7")
            bench.send(Self.get, on: next)
            #expect(answers(in: next.text) == ["200 root"])
        }
        #expect(bench.failures == ["handshakesPerAddressMax reached; answered 429"])
    }

    @Test func `a /64 of IPv6 counts as one address`() async throws {
        let bench = try await HTTPBench { $0.handshakesPerAddressMax = 1 }
        _ = try bench.connect(from: "2001:db8:0:1::1")
        let second = try bench.connect(from: "2001:db8:0:1::2")
        #expect(second.text.hasPrefix("HTTP/1.1 429 "))
        let third = try bench.connect(from: "2001:db8:0:2::1")
        #expect(third.received.isEmpty && !third.isEnded)
    }

    // MARK: - WebSockets and the log

    @Test func `an upgrade may come behind other requests`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        let upgrade = String(decoding: Bench.upgrade, as: UTF8.self).replacing("/chat", with: "/ws")
        peer.send(Array((Self.late + upgrade).utf8) + Bench.frame("hello"))
        bench.network.runUntilIdle()
        #expect(peer.received.isEmpty)
        bench.gate.open()
        bench.network.runUntilIdle()
        #expect(peer.text.contains("HTTP/1.1 101 ") && peer.text.hasSuffix("hello"))
        #expect(bench.server.connectionCount == 1)
    }

    @Test func `a WebSocket behind so much that reading paused is read on`() async throws {
        let bench = try await HTTPBench { $0.pipelinedBytesMax = 100 }
        let peer = try bench.connect()
        let upgrade = String(decoding: Bench.upgrade, as: UTF8.self).replacing("/chat", with: "/ws")
        peer.send(Array((Self.late + upgrade).utf8) + Bench.frame("hello"))
        bench.network.runUntilIdle()
        bench.gate.open()
        bench.network.runUntilIdle()
        #expect(peer.text.hasSuffix("hello"))
        peer.send(Bench.frame("again"))
        bench.network.runUntilIdle()
        #expect(peer.text.hasSuffix("again"))
    }

    @Test func `a request for a host that is not served is logged, too`() async throws {
        let bench = try await HTTPBench { $0.hosts = ["h"] }
        let peer = try bench.connect()
        bench.send("GET / HTTP/1.1\r\nHost: elsewhere\r\n\r\n", on: peer)
        bench.network.runUntilIdle()
        #expect(bench.accesses.map { "\($0.status)" } == ["421"])
        #expect(bench.failures.count == 1)
        #expect(peer.isEnded)
    }

    @Test func `each request that was answered is logged`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect(from: "203.0.113.7")
        bench.send(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + Self.late, on: peer)
        bench.network.run(for: .seconds(2))
        bench.gate.open()
        bench.network.runUntilIdle()
        let said = bench.accesses.map {
            "\($0.remoteAddress.host) \($0.request.method) \($0.request.target) \($0.status) "
                + "\($0.requestBodyBytes) \($0.responseBodyBytes) \($0.duration)"
        }
        #expect(
            said == [
                "203.0.113.7 POST /echo 200 3 3 0.0 seconds",
                "203.0.113.7 GET /late 200 0 4 2.0 seconds",
            ])
    }

    @Test func `a request is logged, too, where the server answers for its responder`()
        async throws
    {
        let bench = try await HTTPBench { $0.responseTimeout = .seconds(7) }
        func said() -> [String] {
            bench.accesses.map { "\($0.request.target) \($0.status) \($0.requestBodyBytes)" }
        }
        for request in [
            Self.late, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
            "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            // No request that could be named.
            "GET /half", "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
        ] {
            bench.send(request, on: try bench.connect())
            bench.network.run(for: .seconds(40))
        }
        #expect(said() == ["/late 503 0", "/echo 408 3", "/ws 426 0", "/small 413 0"])
        #expect(bench.accesses.first?.duration == .seconds(7))
    }
}
