import Hub
import HubHTTP
import HubWorlds
import HubTesting
import NetPollTesting
import PrometheusText
import Testing
import WSFrame
import WSTransport

/// A hub with its API on a simulated network; clients are who their query says.
final class PushBench {
    let world: SimulatedHub
    let api: PushAPI

    init(
        _ configuration: PushAPI.Configuration = .init(),
        _ configure: (inout HubConfiguration) -> Void = { _ in }
    ) async throws {
        api = PushAPI(
            keys: try APIKeys(lines: "# the key\nakeyof16bytesxxxx\n"),
            configuration: configuration, metrics: PrometheusMetrics())
        var hub = HubConfiguration()
        hub.protocols = [RawProtocol(), LineProtocol()]
        hub.inbox = InboxPolicy()
        hub.authenticator = QueryNames()
        hub.routes = api.router
        configure(&hub)
        world = try await SimulatedHub(Everyone(), configuration: hub)
        api.serve(world.hub)
    }

    /// A client of a user, after its welcome.
    func join(_ user: String, device: String = "d") throws -> SimulatedClient {
        let client = try #require(
            world.connect("/ws?user=\(user)&device=\(device)", subprotocol: "lines.1"))
        client.dropFirstText()
        return client
    }

    struct Answer: Equatable {
        let status: Int
        let body: String
    }

    func post(_ path: String, _ body: String) throws -> Answer {
        try answer(to: "POST /api/v1/\(path)", body: body)
    }

    func get(_ path: String) throws -> Answer {
        try answer(to: "GET /api/v1/\(path)")
    }

    func answer(
        to line: String, body: String = "", key: String? = "akeyof16bytesxxxx"
    ) throws -> Answer {
        let peer = try #require(world.network.connect(to: world.address))
        let field = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        peer.send(
            Array(
                "\(line) HTTP/1.1\r\nHost: a\r\n\(field)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                    .utf8))
        world.run(for: .seconds(1))
        let text = String(decoding: peer.received, as: UTF8.self)
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1).map(String.init)
        let status = Int(text.dropFirst(9).prefix(3)) ?? 0
        let end = parts.count > 1 ? parts[1] : ""
        return Answer(status: status, body: end.hasSuffix("\n") ? String(end.dropLast()) : end)
    }
}
