/// What the connections of a listener share on one loop.
final class ConnectionSettings: Sendable {
    let loop: EventLoop
    let limits: Connection.Limits
    /// Is told of each end, where one loop accepts for others.
    let balancer: Balancer?
    /// Deadlines in milliseconds; 0: none.
    let firstByte, input, idle, writeStall: UInt32
    let hasDeadlines: Bool

    init(loop: EventLoop, limits: Connection.Limits, balancer: Balancer? = nil) {
        self.loop = loop
        self.balancer = balancer
        firstByte = Self.milliseconds(limits.firstByteTimeout)
        input = Self.milliseconds(limits.inputTimeout)
        idle = Self.milliseconds(limits.idleTimeout)
        writeStall = Self.milliseconds(limits.writeStallTimeout)
        hasDeadlines = firstByte | input | idle | writeStall != 0
        precondition(
            limits.lowWatermark <= limits.highWatermark,
            "low watermark \(limits.lowWatermark) above high watermark \(limits.highWatermark)")
        precondition(
            limits.sendQueueBytesMax > 0, "send queue of \(limits.sendQueueBytesMax) bytes")
        self.limits = limits
    }

    private static func milliseconds(_ timeout: Duration?) -> UInt32 {
        guard let timeout else { return 0 }
        precondition(
            timeout > .zero && timeout <= DeadlineTable.longest, "a deadline of \(timeout)")
        return UInt32((timeout.inNanoseconds + 999_999) / 1_000_000)
    }
}
