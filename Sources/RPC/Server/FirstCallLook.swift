import NetPoll

/// Looks now and then whether every client has called.
final class FirstCallLook: AwaitedTimerTarget {
    private static let interval = Duration.milliseconds(5)

    private let shard: RPCServerShard
    private let deadline: Instant
    private let whenDone: @Sendable () -> Void

    /// - Parameters:
    ///   - shard: Whose clients.
    ///   - deadline: When it gives up.
    ///   - whenDone: Told once, on the shard's loop.
    init(
        _ shard: RPCServerShard, until deadline: Instant, _ whenDone: @escaping @Sendable () -> Void
    ) {
        self.shard = shard
        self.deadline = deadline
        self.whenDone = whenDone
    }

    func timerFired(_ id: TimerID, on loop: EventLoop) {
        guard shard.awaitsFirstCall, loop.now < deadline else { return whenDone() }
        loop.schedule(after: Self.interval, self)
    }

    func timerDropped() { whenDone() }
}
