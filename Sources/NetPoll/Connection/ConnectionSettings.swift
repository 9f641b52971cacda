/// What all connections of a listener share: their loop and their limits.
final class ConnectionSettings: Sendable {
    let loop: EventLoop
    let limits: Connection.Limits

    init(loop: EventLoop, limits: Connection.Limits) {
        precondition(
            limits.lowWatermark <= limits.highWatermark,
            "low watermark \(limits.lowWatermark) above high watermark \(limits.highWatermark)")
        precondition(
            limits.sendQueueBytesMax > 0, "send queue of \(limits.sendQueueBytesMax) bytes")
        self.loop = loop
        self.limits = limits
    }
}
