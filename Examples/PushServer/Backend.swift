import HubHTTP
import HubRPC
import NetPoll
import RPC

/// The API as an RPC service on a port of its own.
struct Backend {
    private let server: RPCServer

    /// - Parameters:
    ///   - api: What it serves.
    ///   - group: The loops to serve on.
    init(_ api: PushAPI, on group: EventLoopGroup) {
        var handlers = RPCHandlers()
        handlers.serveBackend(of: api)
        var configuration = RPCConfiguration()
        configuration.introspection = [.health, .methods]
        server = RPCServer(group: group, handlers: handlers, configuration: configuration)
    }

    /// Begins to serve, and says where.
    func listen(on address: SocketAddress) async throws {
        print("push-server answers RPC on \(try await server.listen(on: address))")
    }

    /// Lets the calls that run end.
    func drain() async { await server.drain(deadline: .seconds(5)) }
}
