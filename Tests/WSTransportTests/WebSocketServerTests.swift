import NetPoll
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("WebSocketServer", .timeLimit(.minutes(10)))
struct WebSocketServerTests {
    @Test func `a handshake one byte a second ends with 408 at its deadline`() async throws {
        let bench = try await Bench()
        let peer = try bench.connect()
        for byte in Bench.upgrade.prefix(9) {
            peer.send([byte])
            bench.network.run(for: .seconds(1))
        }
        #expect(peer.received.isEmpty)
        bench.network.run(for: .milliseconds(1_100))
        #expect(peer.text.hasPrefix("HTTP/1.1 408 "))
        #expect(peer.isEnded)
        #expect(bench.failures == ["timed out before the request was whole; answered 408"])
    }

    @Test func `headers of the application go into the answer to an upgrade`() async throws {
        let bench = try await Bench()
        bench.headers = [HTTPHeader("Set-Cookie", "a=b"), HTTPHeader("Content-Length", "5")]
        let peer = try bench.connect()
        peer.send(Bench.upgrade)
        bench.network.runUntilIdle()
        #expect(peer.text.hasPrefix("HTTP/1.1 101 "))
        #expect(peer.text.hasSuffix("\r\nSet-Cookie: a=b\r\n\r\n"))
        #expect(!peer.text.contains("Content-Length"))
    }

    @Test func `a connection that says nothing is closed without an answer`() async throws {
        let bench = try await Bench()
        let peer = try bench.connect()
        bench.network.run(for: .milliseconds(10_100))
        #expect(peer.isEnded && peer.received.isEmpty)
    }

    /// Requests by what is wrong with them, and the status each gets.
    private static let refused: [String: (request: String, status: String)] = [
        "garbage": ("\u{1}\u{2}garbage\r\n\r\n", "400"),
        "a header line of 64 KiB": (
            "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 65_536))\r\n\r\n",
            "431"
        ),
        "a target of 64 KiB": (
            "GET /\(String(repeating: "x", count: 65_536)) HTTP/1.1\r\nHost: a\r\n\r\n", "414"
        ),
        "an unknown version": ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505"),
        "no host": ("GET / HTTP/1.1\r\n\r\n", "400"),
    ]

    @Test(arguments: refused.keys.sorted())
    func `a request that cannot be served gets its status and the server goes on`(
        name: String
    ) async throws {
        let (request, status) = try #require(Self.refused[name])
        let bench = try await Bench()
        let peer = try bench.connect()
        peer.send(Array(request.utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.hasPrefix("HTTP/1.1 \(status) "))
        #expect(peer.isEnded)
        #expect(bench.failures.count == 1)
        _ = try bench.upgraded()
    }

    @Test(
        arguments: [(nil, 101), ("http://localhost", 101), ("http://elsewhere", 403)]
            as [(String?, Int)])
    func `a page of another origin is refused, where the server says so`(
        origin: String?, status: Int
    ) async throws {
        let bench = try await Bench { $0.origins = .sameOrigin }
        let peer = try bench.connect()
        let line = origin.map { "Origin: \($0)\r\n\r\n" } ?? "\r\n"
        peer.send(Array(Bench.upgrade.dropLast(2)) + Array(line.utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.hasPrefix("HTTP/1.1 \(status) "))
        #expect(bench.failures.count == (status == 101 ? 0 : 1))
    }

    @Test(
        arguments: [
            ("localhost", 101), ("LocalHost:80", 101), ("[::1]:8080", 101), ("[::1]", 101),
            ("elsewhere", 421), ("localhost.elsewhere", 421), ("localhos", 421), ("[::2]", 421),
            ("", 421),
        ] as [(String, Int)])
    func `a request for another host is refused, where the server names its own`(
        host: String, status: Int
    ) async throws {
        let bench = try await Bench { $0.hosts = ["localhost", "[::1]"] }
        let peer = try bench.connect()
        let request = String(decoding: Bench.upgrade, as: UTF8.self)
        peer.send(Array(request.replacing("Host: localhost", with: "Host: \(host)").utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.hasPrefix("HTTP/1.1 \(status) "))
        #expect(peer.isEnded == (status == 421))
        #expect(bench.failures.count == (status == 421 ? 1 : 0))
    }

    @Test func `an upgrade of another version is told which one is spoken`() async throws {
        let bench = try await Bench()
        let peer = try bench.connect()
        let request = String(decoding: Bench.upgrade, as: UTF8.self)
        peer.send(Array(request.replacing("Version: 13", with: "Version: 8").utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.hasPrefix("HTTP/1.1 426 "))
        #expect(peer.text.contains("Sec-WebSocket-Version: 13\r\n"))
    }

    @Test func `plain requests are answered on one connection, also pipelined`() async throws {
        let bench = try await Bench()
        bench.response = HTTPResponse(status: .ok, text: "page")
        let peer = try bench.connect()
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        peer.send(Array((request + request).utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.components(of: "HTTP/1.1 200 ") == 2)
        #expect(!peer.isEnded)
        peer.send(Array("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.components(of: "HTTP/1.1 200 ") == 3)
        #expect(peer.isEnded)
    }

    @Test func `a plain request where a WebSocket is served gets 426`() async throws {
        let bench = try await Bench()
        let peer = try bench.connect()
        peer.send(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.hasPrefix("HTTP/1.1 426 "))
    }

    @Test func `a body that is not wanted is no request`() async throws {
        let bench = try await Bench()
        bench.response = HTTPResponse(status: .ok, text: "page")
        let peer = try bench.connect()
        peer.send(Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET ".utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.components(of: "HTTP/1.1 ") == 1 && !peer.isEnded)
        #expect(bench.decisions == 1)
    }

    @Test func `beyond connectionsMax an upgrade is answered 503`() async throws {
        let bench = try await Bench { $0.connectionsMax = 2 }
        let first = try bench.upgraded()
        _ = try bench.upgraded()
        let third = try bench.connect()
        third.send(Bench.upgrade)
        bench.network.runUntilIdle()
        #expect(third.text.hasPrefix("HTTP/1.1 503 "))
        #expect(bench.server.connectionCount == 2)
        first.close()
        bench.network.runUntilIdle()
        _ = try bench.upgraded()
        #expect(bench.failures == ["connectionsMax reached; answered 503"])
    }

    @Test func `beyond handshakesMax a connection is answered 503 at once`() async throws {
        let bench = try await Bench { $0.handshakesMax = 2 }
        _ = try bench.upgraded()
        #expect(bench.server.handshakeCount == 0 && bench.server.handshakesPeak == 1)
        let waiting = [try bench.connect(), try bench.connect()]
        let third = try bench.connect()
        #expect(third.text.hasPrefix("HTTP/1.1 503 "))
        #expect(bench.server.handshakeCount == 2 && bench.server.handshakesPeak == 2)
        waiting[0].close()
        bench.network.runUntilIdle()
        #expect(bench.server.handshakeCount == 1)
        _ = try bench.upgraded()
        #expect(bench.server.handshakeCount == 1 && bench.server.handshakesPeak == 2)
    }

    @Test(arguments: [1, 3])
    func `draining closes all with 1001 and ends when all answered`(loops: Int) async throws {
        let bench = try await Bench(loops: loops)
        let peers = try (0..<30).map { _ in try bench.upgraded() }
        let idle = try bench.connect()
        let isDone = Flag()
        bench.server.beginDrain(code: .goingAway, deadline: .seconds(10)) {
            isDone.set()
        }
        bench.network.runUntilIdle()
        #expect(peers.allSatisfy { $0.closeCode == 1001 })
        #expect(idle.isEnded)
        #expect(!isDone.isSet)
        idle.close()
        for peer in peers {
            peer.send(Bench.close(1001))
            bench.network.runUntilIdle()
            peer.close()
        }
        bench.network.runUntilIdle()
        #expect(isDone.isSet)
        #expect(bench.reasons.allSatisfy { $0 == .local(.goingAway) })
        #expect(bench.reasons.count == 30)
    }

    @Test func `a turn of draining closes, and aborts, no more than the loop's bound`() async throws
    {
        let bench = try await Bench(closesPerTurnMax: 4) { $0.closeTimeout = .seconds(60) }
        let peers = try (0..<21).map { _ in try bench.upgraded() }
        let idle = try (0..<5).map { _ in try bench.connect() }
        var (sent, ended) = ([bench.network.sends], [0])
        bench.network.runTurn = { [unowned bench] loop in
            loop.turn(until: bench.network.now)
            sent.append(bench.network.sends)
            ended.append(loop.metrics.closed)
        }
        let isDone = Flag()
        bench.server.beginDrain(code: .goingAway, deadline: .seconds(2)) { isDone.set() }
        bench.network.runUntilIdle()
        func steps(_ counts: [Int]) -> [Int] { zip(counts, counts.dropFirst()).map { $1 - $0 } }
        #expect(steps(sent).max() == 4, "close frames a turn")
        #expect(peers.allSatisfy { $0.closeCode == 1001 } && idle.allSatisfy(\.isEnded))
        #expect(!isDone.isSet)
        bench.network.run(for: .seconds(3))
        #expect(isDone.isSet)
        #expect(ended.last == 26 && steps(ended).max() == 4)
    }

    @Test func `draining aborts at its deadline what does not answer`() async throws {
        let bench = try await Bench { $0.closeTimeout = .seconds(60) }
        let peers = try (0..<5).map { _ in try bench.upgraded() }
        let isDone = Flag()
        bench.server.beginDrain(code: .goingAway, deadline: .seconds(2)) {
            isDone.set()
        }
        bench.network.run(for: .milliseconds(1_900))
        #expect(!isDone.isSet)
        bench.network.run(for: .milliseconds(200))
        #expect(isDone.isSet)
        #expect(peers.allSatisfy { $0.isReset })
    }

    @Test func `all who wait for the end of draining are told`() async throws {
        let bench = try await Bench()
        let peer = try bench.upgraded()
        let (first, second) = (Flag(), Flag())
        bench.server.beginDrain(code: .goingAway, deadline: .seconds(5)) { first.set() }
        bench.server.beginDrain(code: .goingAway, deadline: .seconds(5)) { second.set() }
        bench.network.runUntilIdle()
        peer.send(Bench.close(1001))
        bench.network.runUntilIdle()
        peer.close()
        bench.network.runUntilIdle()
        #expect(first.isSet && second.isSet)
    }

    @Test func `HEAD gets the length of the page also where the connection closes`() async throws {
        let bench = try await Bench()
        bench.response = HTTPResponse(status: .ok, text: "page")
        let peer = try bench.connect()
        peer.send(Array("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.contains("Content-Length: 4\r\n"))
        #expect(peer.text.hasSuffix("\r\n\r\n"))
    }

    @Test func `requests behind an ended connection are not served`() async throws {
        let bench = try await Bench { $0.connection.sendQueueBytesMax = 100_000 }
        bench.response = HTTPResponse(status: .ok, text: String(repeating: "x", count: 10_000))
        let peer = try bench.connect()
        peer.stall()
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        peer.send(Array(String(repeating: request, count: 1_000).utf8))
        bench.network.runUntilIdle()
        #expect(bench.decisions < 40)
    }

    @Test func `a client that asks but does not read is not given more time`() async throws {
        let bench = try await Bench()
        bench.response = HTTPResponse(status: .ok, text: String(repeating: "x", count: 100_000))
        let peer = try bench.connect()
        peer.stall()
        for _ in 0..<5 {
            peer.send(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            bench.network.run(for: .seconds(4))
        }
        // The deadline of the first answer, and the time to take it.
        #expect(bench.network.openDescriptors == 1)
    }

    @Test func `a subprotocol that was not offered is not chosen`() async throws {
        let bench = try await Bench()
        bench.subprotocol = "chat"
        let peer = try bench.connect()
        peer.send(Bench.upgrade)
        bench.network.runUntilIdle()
        #expect(peer.text.hasPrefix("HTTP/1.1 101 "))
        #expect(!peer.text.contains("Sec-WebSocket-Protocol"))
    }

    @Test func `draining a server that never had a connection ends at once`() async throws {
        let bench = try await Bench(loops: 2)
        let isDone = Flag()
        bench.server.beginDrain(code: .goingAway, deadline: .seconds(2)) { isDone.set() }
        bench.network.runUntilIdle()
        #expect(isDone.isSet)
    }
}

extension String {
    /// How often `text` occurs.
    fileprivate func components(of text: String) -> Int {
        ranges(of: text).count
    }
}

/// Is set by a callback.
private final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}
