/// The clock by which a loop's timers go.
///
/// For code that takes any clock: give it a loop's, and a test with a simulated network decides
/// what time it is.
///
/// ```swift
/// func heartbeat(every interval: Duration, on clock: any Clock<Duration>) async throws {
///     while true {
///         try await clock.sleep(for: interval)
///         beat()
///     }
/// }
/// ```
///
/// A task that prefers the loop as its executor sleeps without leaving it. Other tasks may use the
/// clock too, each with a way to the loop and back; of a simulated network's loops, whose thread
/// runs only within the network's calls, a task that sleeps has to prefer one as its executor.
public struct LoopClock: Clock, Sendable {
    public typealias Duration = Swift.Duration

    /// The loop whose clock it is.
    public let loop: EventLoop

    /// The present, read from the loop's driver. ``EventLoop/now`` is the same clock as it stood
    /// when the loop's turn began.
    public var now: Instant { loop.driver.now() }

    /// One millisecond: what a slot of the loop's timing wheel holds.
    public var minimumResolution: Duration { .milliseconds(1) }

    /// Sleeps until `deadline`, and at most ``minimumResolution`` and the loop's turn longer.
    ///
    /// Returns at once where `deadline` has passed. Takes a timer of the loop, which is free again
    /// when the sleep is over, however it ends.
    ///
    /// - Parameters:
    ///   - deadline: A moment of this clock.
    ///   - tolerance: Not made use of: timers of one millisecond fire in one turn anyhow.
    /// - Throws: `CancellationError` as soon as the task is cancelled, or the loop shut down.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        try await Sleeper(loop).sleep(until: deadline, isolation: #isolation)
    }
}

extension EventLoop {
    /// The clock by which this loop's timers go. Any thread may call this.
    public var clock: LoopClock { LoopClock(loop: self) }

    /// Sleeps for `duration` on this loop's clock; see ``LoopClock/sleep(until:tolerance:)``.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled, or the loop shut down.
    public func sleep(for duration: Duration) async throws {
        let start = isCurrent ? now : driver.now()
        try await Sleeper(self).sleep(until: start + duration, isolation: #isolation)
    }
}
