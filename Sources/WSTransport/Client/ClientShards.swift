import NetPoll
import WSFrame

/// A client's settings and masking keys on one loop.
final class ClientShard: WebSocketShard {
    let configuration: WebSocketClient.Configuration

    init(configuration: WebSocketClient.Configuration, framing: ProtocolConfiguration) {
        self.configuration = configuration
        super.init(
            role: .client, framing: framing, heartbeat: configuration.heartbeat,
            closeTimeout: configuration.closeTimeout)
    }
}

/// A client's part on each loop, made when it is first used there.
final class ClientShards: Sendable {
    private let configuration: WebSocketClient.Configuration
    private let framing: ProtocolConfiguration
    private let places: [Place]

    /// `@unchecked Sendable`: only the loop of the same index touches it.
    private final class Place: @unchecked Sendable {
        var shard: ClientShard?
    }

    init(group: EventLoopGroup, configuration: WebSocketClient.Configuration) {
        self.configuration = configuration
        framing = ProtocolConfiguration(limits: configuration.limits)
        places = group.loops.map { _ in Place() }
    }

    /// The part of the client on `loop`; called on it.
    func shard(of loop: EventLoop) -> ClientShard {
        precondition(loop.isCurrent, "a WebSocket is connected on its loop")
        let place = places[loop.index]
        if let shard = place.shard { return shard }
        let shard = ClientShard(configuration: configuration, framing: framing)
        place.shard = shard
        return shard
    }
}
