// What those need who serve a connection by tasks.
extension Connection {
    /// The bounds in force.
    package var limits: Limits { settings.limits }

    /// Whether reading was paused on this side.
    package var isReadingPaused: Bool { flags.contains(.readingPaused) }

    /// Whether more waits than the high watermark although the kernel was offered all of it.
    package func isAboveHighWatermark() -> Bool {
        guard queuedBytes > settings.limits.highWatermark else { return false }
        // Gathered bytes count as well: the kernel takes them now, or the task has to wait.
        offerGathered()
        return queuedBytes > settings.limits.highWatermark
    }

    /// Offers the kernel what this turn gathered, so that only what it leaves counts as queued.
    package func offerGathered() { loop.flush(self) }

    /// Lets ``ConnectionHandler/fellBelowLowWatermark(_:)`` be called although the rise was not told, or the queue
    /// is not that long: a bound may lie below the high watermark.
    package func awaitFall() { flags.formUnion([.highTold, .aboveHigh]) }
}

extension EventLoop {
    /// Runs the tasks that an event made ready, as a handler would run: within the event.
    package func runReadyTasks() {
        if !ready.isEmpty { runReady() }
    }

    /// A buffer of the loop's for `count` bytes that a task is to get.
    package func emptyBuffer(for count: Int) -> InboundBuffer { inboundBuffers.empty(for: count) }
}
