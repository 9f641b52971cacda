internal import NetPoll

/// Where a pool has its time from.
protocol PoolClock: AnyObject, Sendable {
    /// Whether ``now`` is the system's monotonic clock.
    var isSystems: Bool { get }

    /// The present; any thread may ask.
    var now: Instant { get }

    /// Sees to it that `target` is woken at or after the earliest moment asked for since it was woken
    /// last.
    func wake(_ target: any PoolWakeTarget, at moment: Instant)

    /// Wakes nobody any more.
    func stop()
}

/// Is woken by a ``PoolClock``.
protocol PoolWakeTarget: AnyObject, Sendable {
    func woken()

    /// The clock will wake nobody any more.
    func clockEnded()
}
