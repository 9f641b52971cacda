import ConnPool
import Hub
import HubHTTP
import HubRPC
import HubTesting
import HubWorlds
import NetPoll
import NetPollTesting
import RPC
import Synchronization
import Testing
import WSFrame

/// A hub with its backend by HTTP and by RPC on a simulated network; clients are who their query says.
final class BackendBench {
    static let key = "akeyof16bytesxxxx"

    let world: SimulatedHub
    let api: PushAPI
    let server: RPCServer
    let client: RPCClient

    init(
        _ bounds: PushAPI.Configuration = .init(), isServed: Bool = true,
        _ configure: (inout HubConfiguration) -> Void = { _ in }
    ) async throws {
        api = PushAPI(keys: try APIKeys(lines: Self.key), configuration: bounds)
        var hub = HubConfiguration()
        hub.protocols = [RawProtocol(), LineProtocol()]
        hub.inbox = InboxPolicy()
        hub.authenticator = QueryNames()
        hub.routes = api.router
        configure(&hub)
        world = try await SimulatedHub(Everyone(), configuration: hub)
        if isServed { api.serve(world.hub) }
        var handlers = RPCHandlers()
        handlers.serveBackend(of: api)
        handlers.handle(Other.echo, on: .loop) { request, _ in request }
        server = RPCServer(group: world.group, handlers: handlers)
        let address = try await server.listen(on: SocketAddress(host: "127.0.0.1", port: 4_000))
        client = RPCClient(to: .address(address), on: [world.group.loops[0]])
    }

    /// A service that is served beside the backend.
    enum Other: RPCService {
        static let serviceName = "test.Other"
        static let echo = unary("Echo", [UInt8].self, [UInt8].self)
    }

    /// A client of a user, after its welcome.
    func join(_ user: String, device: String = "d") throws -> SimulatedClient {
        let client = try #require(
            world.connect("/ws?user=\(user)&device=\(device)", subprotocol: "lines.1"))
        client.dropFirstText()
        return client
    }

    /// Calls a method, and lets what follows from it happen.
    func call<Request, Reply>(
        _ method: UnaryMethod<Request, Reply>, _ request: Request,
        metadata: RPCMetadata = ["authorization": "Bearer \(key)"]
    ) throws -> Reply {
        let place = Place<Reply>()
        Task(executorPreference: world.group.loops[0]) { [client] in
            do throws(RPCError) {
                let reply = try await client.call(
                    method, request, options: CallOptions(metadata: metadata))
                place.outcome.withLock { $0 = .success(reply) }
            } catch {
                place.outcome.withLock { $0 = .failure(error) }
            }
        }
        _ = world.network.run(within: .seconds(60)) { place.outcome.withLock { $0 != nil } }
        world.run(for: .milliseconds(100))
        return try #require(place.outcome.withLock { $0 }).get()
    }

    /// The answer of the API by HTTP, head and all.
    func get(_ path: String) throws -> String {
        let peer = try #require(world.network.connect(to: world.address))
        peer.send(
            Array(
                "GET /api/v1/\(path) HTTP/1.1\r\nHost: a\r\nX-API-Key: \(Self.key)\r\n\r\n".utf8))
        world.run(for: .seconds(1))
        return String(decoding: peer.received, as: UTF8.self)
    }

    /// Where a task leaves what it came to.
    private final class Place<Reply: Sendable>: Sendable {
        let outcome = Mutex<Result<Reply, RPCError>?>(nil)
    }
}
