import NetPoll
import WSFrame

/// A client's settings and masking keys on one loop.
final class ClientShard: WebSocketShard {
    let configuration: WebSocketClient.Configuration

    init(configuration: WebSocketClient.Configuration, framing: ProtocolConfiguration) {
        self.configuration = configuration
        super.init(
            role: .client, framing: framing, heartbeat: configuration.heartbeat,
            closeTimeout: configuration.closeTimeout,
            inputStallTimeout: configuration.inputStallTimeout,
            connection: configuration.connect.limits)
    }
}

/// A client's part on each loop, made when it is first used there.
final class ClientShards: Sendable {
    private let configuration: WebSocketClient.Configuration
    private let framing: ProtocolConfiguration
    private let shards: LoopCells<ClientShard>

    init(group: EventLoopGroup, configuration: WebSocketClient.Configuration) {
        self.configuration = configuration
        configuration.http.check()
        WebSocketShard.check(inputStallTimeout: configuration.inputStallTimeout)
        framing = ProtocolConfiguration(
            limits: configuration.limits, delivery: configuration.delivery)
        shards = LoopCells(group.loops)
    }

    /// The part of the client on `loop`; called on it.
    func shard(of loop: EventLoop) -> ClientShard {
        shards.value(of: loop) { ClientShard(configuration: configuration, framing: framing) }
    }
}
