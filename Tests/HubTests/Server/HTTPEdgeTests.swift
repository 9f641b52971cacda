import Hub
import HubTesting
import NetPollTesting
import Synchronization
import Testing
import WSFrame
import WSTransport

@Suite("The HTTP edge")
struct HTTPEdgeTests {
    private func bench(_ configure: (inout HubConfiguration) -> Void = { _ in }) async throws
        -> HubBench
    {
        try await HubBench {
            $0.files = [
                "/": StaticFile(
                    contentType: "text/html; charset=utf-8", body: Array("<p>hi</p>".utf8),
                    headers: [HTTPHeader("Cache-Control", "no-cache")])
            ]
            configure(&$0)
        }
    }

    private func upgrade(path: String = "/ws", _ fields: String = "") -> String {
        """
        GET \(path) HTTP/1.1\r
        Host: chat.example:8080\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Version: 13\r
        \(fields)\r\n
        """
    }

    @Test(arguments: [CompressionConfiguration.shared, nil])
    func `compression is agreed on where the hub has it`(
        configuration: CompressionConfiguration?
    ) async throws {
        let bench = try await bench { $0.compression = configuration }
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        let response = try bench.response(to: upgrade(offer))
        #expect(response.hasPrefix("HTTP/1.1 101 "))
        let isAgreed = response.contains("Sec-WebSocket-Extensions: permessage-deflate")
        #expect(isAgreed == (configuration != nil))
    }

    @Test func `a file is served with its headers, and to HEAD without its body`() async throws {
        let bench = try await bench()
        let get = try bench.response(to: "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(get.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(get.contains("Content-Type: text/html; charset=utf-8\r\n"))
        #expect(get.contains("Cache-Control: no-cache\r\n"))
        #expect(get.hasSuffix("\r\n\r\n<p>hi</p>"))
        let head = try bench.response(to: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(head.contains("Content-Length: 9\r\n"))
        #expect(head.hasSuffix("\r\n\r\n"))
    }

    @Test(arguments: [
        ("GET /?x=1", "200"), ("GET /healthz", "200"), ("HEAD /healthz", "200"),
        ("GET /readyz", "200"),
        ("GET /nothing", "404"), ("GET //", "404"), ("POST /", "405"), ("DELETE /healthz", "405"),
        ("POST /nothing", "404"), ("GET /ws", "426"), ("GET /../etc/passwd", "404"),
    ])
    func `a request gets the status it deserves`(request: String, status: String) async throws {
        let bench = try await bench()
        let response = try bench.response(to: "\(request) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(response.hasPrefix("HTTP/1.1 \(status) "))
        #expect(response.contains("Allow: GET, HEAD\r\n") == (status == "405"))
    }

    @Test func `a hub that drains tells who chooses servers so, and who watches it that it lives`()
        async throws
    {
        let bench = try await bench()
        // Somebody who does not read what waits, so that it goes on.
        let slow = try bench.join(windowBytes: 4 << 10)
        slow.say("join a")
        bench.network.runUntilIdle()
        slow.peer.stall()
        let topic = try #require(bench.hub.existingTopic("a"))
        let text = String(repeating: "x", count: 10_000)
        for _ in 0..<3 { topic.publish(Publication(HubMessage(text: text))) }
        bench.network.run(for: .milliseconds(100))
        let ready = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
        let kept = try #require(bench.network.connect(to: bench.address))
        kept.send(Array(ready.utf8))
        bench.network.run(for: .milliseconds(100))
        #expect(String(decoding: kept.takeReceived(), as: UTF8.self).hasSuffix("\r\n\r\nready\n"))
        bench.hub.beginDrain(deadline: .seconds(10)) {}
        kept.send(Array(ready.utf8))
        bench.network.run(for: .milliseconds(100))
        for answer in [
            String(decoding: kept.takeReceived(), as: UTF8.self), try bench.response(to: ready),
        ] {
            #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.hasSuffix("\r\n\r\ndraining\n"))
        }
        let health = try bench.response(to: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(health.hasPrefix("HTTP/1.1 200 "))
        #expect(slow.closeCode == nil)
    }

    @Test(arguments: [
        ("", "101"),
        ("Origin: http://chat.example:8080\r\n", "101"),
        ("Origin: http://evil.example\r\n", "403"),
        ("Origin: null\r\n", "403"),
    ])
    func `a page of another origin gets no session`(field: String, status: String) async throws {
        let bench = try await bench()
        let response = try bench.response(to: upgrade(field))
        #expect(response.hasPrefix("HTTP/1.1 \(status) "))
    }

    @Test func `an upgrade elsewhere than at the endpoint is not found`() async throws {
        let bench = try await bench()
        #expect(try bench.response(to: upgrade(path: "/other")).hasPrefix("HTTP/1.1 404 "))
    }

    @Test func `the application may refuse`() async throws {
        let bench = try await bench()
        let response = try bench.response(to: upgrade(path: "/ws?refuse"))
        #expect(response.hasPrefix("HTTP/1.1 401 "))
        #expect(bench.hub.sessionCount == 0)
    }

    @Test func `behind a proxy sessions are counted by what it says`() async throws {
        let proxies = TrustedProxies([try AddressRange("127.0.0.1")], source: .forwardedFor)
        let bench = try await bench {
            $0.proxies = proxies
            $0.sessionsPerAddressMax = 1
        }
        for (client, status) in [
            ("203.0.113.9", "101"), ("203.0.113.9", "429"), ("203.0.113.10", "101"),
        ] {
            let response = try bench.response(to: upgrade("X-Forwarded-For: \(client)\r\n"))
            #expect(response.hasPrefix("HTTP/1.1 \(status) "))
        }
    }

    @Test func `beyond the limit of connections there is 503`() async throws {
        let bench = try await bench { $0.connectionsMax = 2 }
        for status in ["101", "101", "503"] {
            #expect(try bench.response(to: upgrade()).hasPrefix("HTTP/1.1 \(status) "))
        }
    }
}
