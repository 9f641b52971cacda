import Hub
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

    /// Begins to serve, on those of `sockets` that have its port or else on `address`, and says where.
    func listen(on address: SocketAddress, of sockets: HubSockets) async throws {
        let own = sockets.share(port: address.port ?? 0) { [server] in
            await server.listenerDescriptors()
        }
        let bound =
            own.isEmpty
            ? try await server.listen(on: address) : try await server.listen(adopting: own)
        print("push-server answers RPC on \(bound)")
    }

    /// Lets who came last call, and the calls that run end.
    func drain() async {
        await server.stopAccepting()
        await server.drain(deadline: .seconds(5))
    }
}
