import NetPoll
import NetPollTesting
import Testing
import WSFrame
import WSTransport

/// A server that does what a router says.
struct RouterBench {
    private let network: SimulatedNetwork
    private let server: WebSocketServer
    private let address: SocketAddress

    init(_ router: HTTPRouter) async throws {
        network = SimulatedNetwork(seed: 0)
        server = WebSocketServer(group: network.makeGroup(loops: 1)) { request, _, _ in
            router.decision(for: request)
        }
        address = try await server.listen(on: .v4(0x0100_007f, port: 80))
    }

    private func received(_ line: String) throws -> String {
        let peer = try #require(network.connect(to: address))
        peer.send(Array("\(line) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".utf8))
        network.runUntilIdle()
        return peer.text
    }

    /// The text of a good answer, or the status of another.
    func answer(to line: String) throws -> String {
        let text = try received(line)
        if line.hasPrefix("HEAD") { return text.contains("200 OK") ? "GET /a" : text }
        let status = String(text.dropFirst(9).prefix(3))
        return status == "200" ? String(text.split(separator: "\r\n\r\n").last ?? "") : status
    }

    func allowed(to line: String) throws -> String? {
        try received(line).split(separator: "\r\n").first { $0.hasPrefix("Allow: ") }
            .map { String($0.dropFirst(7)) }
    }
}
