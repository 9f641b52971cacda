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
    let accessLog: WebSocketServer.AccessLog?
    let accept: WebSocketServer.Accept
    let counts: ServerCounts

    /// A loop's shard, made by its first connection or by draining.
    private let shards: LoopCells<ServerShard>

    init(
        group: EventLoopGroup, configuration: WebSocketServer.Configuration,
        screen: HTTPScreen?, observe: @escaping WebSocketServer.Observe,
        accessLog: WebSocketServer.AccessLog?, accept: @escaping WebSocketServer.Accept
    ) {
        self.configuration = configuration
        self.screen = screen
        self.observe = observe
        self.accessLog = accessLog
        self.accept = accept
        configuration.http.check()
        WebSocketShard.check(inputStallTimeout: configuration.inputStallTimeout)
        counts = ServerCounts(handshakesPerAddressMax: configuration.handshakesPerAddressMax)
        framing = ProtocolConfiguration(
            limits: configuration.limits, delivery: configuration.delivery)
        shards = LoopCells(group.loops)
    }

    /// The part of the server on `loop`; called on it.
    func shard(of loop: EventLoop) -> ServerShard {
        shards.value(of: loop) {
            ServerShard(
                configuration: configuration, framing: framing, screen: screen, observe: observe,
                accessLog: accessLog, accept: accept, counts: counts)
        }
    }
}

/// Counts over all loops of a server.
final class ServerCounts: Sendable {
    let webSockets = Atomic<Int>(0)
    let handshakes = Atomic<Int>(0)
    /// Connections that have had no answer yet.
    let unanswered = Atomic<Int>(0)
    /// The most ``handshakes`` that there were at a time.
    let handshakesPeak = Atomic<Int>(0)
    /// Of requests' bodies that are kept.
    let bodyBytes = Atomic<Int>(0)
    let addresses: AddressCounts

    init(handshakesPerAddressMax: Int) {
        addresses = AddressCounts(most: handshakesPerAddressMax)
    }

    /// Takes a place for a connection that is no WebSocket yet; `false` where `limit` is reached.
    func takeHandshake(limit: Int) -> Bool {
        let (_, after) = handshakes.add(1, ordering: .relaxed)
        guard after <= limit else {
            handshakes.subtract(1, ordering: .relaxed)
            return false
        }
        handshakesPeak.max(after, ordering: .relaxed)
        return true
    }

    /// Takes `wanted` of `limit` places; `false` where so many are not left.
    static func take(_ count: borrowing Atomic<Int>, _ wanted: Int = 1, limit: Int) -> Bool {
        let (_, after) = count.add(wanted, ordering: .relaxed)
        if after <= limit { return true }
        count.subtract(wanted, ordering: .relaxed)
        return false
    }
}
