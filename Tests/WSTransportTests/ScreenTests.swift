import NetPollTesting
import Testing
import WSFrame
import WSTransport

@Suite("Screening requests", .timeLimit(.minutes(10)))
struct ScreenTests {
    @Test func `a header is refused with the status chosen, before the head is whole`() async throws
    {
        let bench = try await Bench(screen: { line in
            guard case .header(let name, "evil.example") = line, name.lowercased() == "host" else {
                return nil
            }
            return HTTPStatus(rawValue: 421)
        })
        let peer = try bench.connect()
        peer.send(Array("GET /chat HTTP/1.1\r\nHost: evil.example\r\nUpgra".utf8))
        bench.network.runUntilIdle()
        #expect(peer.text.hasPrefix("HTTP/1.1 421 "))
        #expect(peer.isEnded)
        #expect(bench.failures.count == 1)
        _ = try bench.upgraded()
    }
}
