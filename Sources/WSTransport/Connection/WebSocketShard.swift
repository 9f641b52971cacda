import NetPoll
import WSFrame

/// What the WebSockets of one server or client share on one loop.
class WebSocketShard {
    let role: Role
    let framing: ProtocolConfiguration
    let heartbeat: Heartbeat?
    let closeTimeout: Duration
    /// Whether a task has ever used one of its WebSockets.
    var servesTasks = false
    private var keys = MaskingKeys()

    init(
        role: Role, framing: ProtocolConfiguration, heartbeat: Heartbeat?, closeTimeout: Duration
    ) {
        self.role = role
        self.framing = framing
        self.heartbeat = heartbeat
        self.closeTimeout = closeTimeout
    }

    /// A fresh key for a frame of a client.
    func maskingKey() -> MaskingKey { keys.next() }

    /// One of its WebSockets is gone.
    func closed() {}
}
