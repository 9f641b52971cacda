import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("What a server's observer is told of requests that failed")
struct HandshakeFailureTests {
    /// What is sent, and how what is told of it ends.
    private static let told: [String: (request: String, end: String)] = [
        "no request at all": ("\u{1}garbage\r\n\r\n", "; answered 400"),
        "an upgrade of another version": (
            String(decoding: Bench.upgrade, as: UTF8.self)
                .replacing("Version: 13", with: "Version: 8"), "; answered 426"
        ),
        "a request of an unknown version": (
            "GET / HTTP/3.0\r\nHost: a\r\n\r\n", "; answered 505"
        ),
    ]

    @Test(arguments: told.keys.sorted())
    func `each names what was answered, once`(name: String) async throws {
        let (request, end) = try #require(Self.told[name])
        let bench = try await Bench()
        let peer = try bench.connect()
        peer.send(Array(request.utf8))
        bench.network.runUntilIdle()
        #expect(bench.failures.count == 1 && bench.failures[0].hasSuffix(end))
    }

    @Test func `an upgrade that the application declines is its refusal`() async throws {
        let bench = try await Bench()
        bench.response = HTTPResponse(status: .forbidden)
        let peer = try bench.connect()
        peer.send(Bench.upgrade)
        bench.network.runUntilIdle()
        #expect(peer.text.hasPrefix("HTTP/1.1 403 "))
        #expect(bench.failures == ["refused by the application; answered 403"])
    }

    @Test func `of one connection more than the bound it is told, and not of the last within`()
        async throws
    {
        let bench = try await Bench { $0.handshakesMax = 2 }
        let peers = [try bench.connect(), try bench.connect()]
        #expect(bench.failures.isEmpty && peers.allSatisfy { !$0.isEnded })
        let third = try bench.connect()
        #expect(third.text.hasPrefix("HTTP/1.1 503 ") && third.isEnded)
        #expect(bench.failures == ["handshakesMax reached; answered 503"])
        #expect(bench.server.handshakesPeak == 2)
    }

    @Test func `a responder that throws is told with its error`() async throws {
        let bench = try await HTTPBench()
        let peer = try bench.connect()
        bench.send("GET /fails HTTP/1.1\r\nHost: h\r\n\r\n", on: peer)
        #expect(peer.text.hasPrefix("HTTP/1.1 500 "))
        #expect(bench.failures == ["its responder failed: Failure(); answered 500"])
    }

    @Test func `a body has as long as the server says`() async throws {
        let bench = try await HTTPBench { $0.bodyTimeout = .seconds(3) }
        let peer = try bench.connect()
        bench.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", on: peer)
        bench.network.run(for: .milliseconds(2_900))
        #expect(peer.received.isEmpty)
        bench.network.run(for: .milliseconds(200))
        #expect(peer.text.hasPrefix("HTTP/1.1 408 ") && peer.isEnded)
        #expect(bench.failures == ["timed out before the request was whole; answered 408"])
    }

    @Test func `an answer is taken within as long as the server says, or the client reset`()
        async throws
    {
        let bench = try await HTTPBench { $0.sendTimeout = .seconds(3) }
        let peer = try bench.connect()
        peer.stall()
        bench.send("GET /long/3000000 HTTP/1.1\r\nHost: h\r\n\r\n", on: peer)
        bench.network.run(for: .milliseconds(2_800))
        #expect(!peer.isReset)
        bench.network.run(for: .milliseconds(400))
        #expect(peer.isReset)
    }
}
