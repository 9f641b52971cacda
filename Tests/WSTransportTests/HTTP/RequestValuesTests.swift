import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("What a request says beside its path")
struct RequestValuesTests {
    @Test(arguments: [
        ("/?a=1", "1"), ("/?b=2&a=1&a=3", "1"), ("/?a", ""), ("/?a=", ""), ("/?b=1", "nil"),
        ("/", "nil"), ("/?a=x%20y+z", "x y z"), ("/?a=1=2", "1=2"), ("/?%61=1", "1"),
        ("/?a=%", "nil"), ("/?a=%ff", "nil"), ("/?&&a=1", "1"), ("/?a=%D8%80&a=2", "\u{600}"),
    ])
    func `a field of the query is decoded`(target: String, value: String) async throws {
        let answer = try await said(by: target) { $0.queryValue("a") ?? "nil" }
        #expect(answer == value)
    }

    @Test(arguments: [
        ("Cookie: a=1", "1"), ("Cookie: b=2; a=1", "1"), ("Cookie: a=\"x y\"", "x y"),
        ("Cookie: b=1\r\nCookie: a=2", "2"), ("Cookie: aa=1", "nil"), ("Cookie: a", "nil"),
        ("Accept: a=1", "nil"), ("Cookie: a=b=c", "b=c"),
        // Characters that combine with a separator, and the Greek question mark, which is another form of one.
        ("Cookie: b=\u{600}; a=1", "1"), ("Cookie: b=\u{600};a=1", "1"),
        ("Cookie: a=\u{301}1", "\u{301}1"),
        ("Cookie: b=2\u{37E}a=3; a=1", "1"), ("Cookie: a=\"x\u{600}\"", "x\u{600}"),
    ])
    func `a cookie is found by its name`(fields: String, value: String) async throws {
        let answer = try await said(by: "/", fields) { $0.cookie("a") ?? "nil" }
        #expect(answer == value)
    }

    @Test(arguments: [
        ("Authorization: Bearer abc.def", "abc.def"), ("authorization: bearer  x", "x"),
        ("Authorization: Basic abc", "nil"), ("Authorization: Bearer", "nil"),
        ("Authorization: Bearer a b", "nil"), ("Accept: a", "nil"),
        ("Authorization: Bearer a\u{600} b", "nil"), ("Authorization: bEaReR abc", "abc"),
    ])
    func `a bearer's token is read`(field: String, value: String) async throws {
        let answer = try await said(by: "/", field) { $0.bearerToken ?? "nil" }
        #expect(answer == value)
    }

    private func said(
        by target: String, _ fields: String = "Accept: */*",
        _ read: @escaping @Sendable (HTTPRequest) -> String
    ) async throws -> String {
        let network = SimulatedNetwork(seed: 0)
        let server = WebSocketServer(group: network.makeGroup(loops: 1)) { request, _, _ in
            .respond(HTTPResponse(status: .ok, text: "<\(read(request))>"))
        }
        let address = try await server.listen(on: .v4(0x0100_007f, port: 80))
        let peer = try #require(network.connect(to: address))
        peer.send(Array("GET \(target) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n".utf8))
        network.runUntilIdle()
        let body = try #require(peer.text.split(separator: "\r\n\r\n").last)
        return String(Substring(body.utf8.dropFirst().dropLast()))
    }
}
