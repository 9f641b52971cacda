import NetPoll
import Synchronization
import WSFrame

/// A server's settings and its part on each loop; what its listeners hold, so that they do not keep
/// the server itself alive.
final class ServerShards: Sendable {
    let configuration: WebSocketServer.Configuration
    let framing: ProtocolConfiguration
    let screen: HTTPScreen?
    let observe: WebSocketServer.Observe
    let accept: WebSocketServer.Accept
    let counts = ServerCounts()

    /// A loop's shard, made by its first connection or by draining.
    private let shards: LoopCells<ServerShard>

    init(
        group: EventLoopGroup, configuration: WebSocketServer.Configuration,
        screen: HTTPScreen?, observe: @escaping WebSocketServer.Observe,
        accept: @escaping WebSocketServer.Accept
    ) {
        self.configuration = configuration
        self.screen = screen
        self.observe = observe
        self.accept = accept
        framing = ProtocolConfiguration(
            limits: configuration.limits, delivery: configuration.delivery)
        shards = LoopCells(group.loops)
    }

    /// The part of the server on `loop`; called on it.
    func shard(of loop: EventLoop) -> ServerShard {
        shards.value(of: loop) {
            ServerShard(
                configuration: configuration, framing: framing, screen: screen, observe: observe,
                accept: accept, counts: counts)
        }
    }
}

/// Counts over all loops of a server.
final class ServerCounts: Sendable {
    let webSockets = Atomic<Int>(0)
    let handshakes = Atomic<Int>(0)

    /// Takes one of `limit` places; `false` where none is left.
    static func take(_ count: borrowing Atomic<Int>, limit: Int) -> Bool {
        let (before, _) = count.add(1, ordering: .relaxed)
        if before < limit { return true }
        count.subtract(1, ordering: .relaxed)
        return false
    }
}
