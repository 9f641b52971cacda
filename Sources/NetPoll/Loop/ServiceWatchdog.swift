/// Tells at a steady pace that all loops turn: each sign of life goes through every loop before it is told.
package final class ServiceWatchdog: Sendable {
    private let interval: Duration
    private let loops: [EventLoop]
    private let tell: @Sendable () -> Void

    /// - Parameters:
    ///   - interval: Between two signs of life.
    ///   - loops: Which ones have to turn; at least one.
    ///   - tell: Tells one sign of life, on the last loop; must not wait.
    package init(
        every interval: Duration, loops: [EventLoop], _ tell: @escaping @Sendable () -> Void
    ) {
        precondition(!loops.isEmpty, "a watchdog over no loop")
        self.interval = interval
        self.loops = loops
        self.tell = tell
    }

    /// Tells the first, and goes on until the loops are shut down.
    package func begin() { pass(to: 0) }

    /// A loop that is stuck, or gone, ends the signs there.
    private func pass(to index: Int) {
        guard index < loops.count else {
            tell()
            loops[0].execute { self.loops[0].schedule(after: self.interval, Beat(self)) }
            return
        }
        loops[index].execute { self.pass(to: index + 1) }
    }

    private final class Beat: TimerTarget {
        private let watchdog: ServiceWatchdog

        init(_ watchdog: ServiceWatchdog) {
            self.watchdog = watchdog
        }

        func timerFired(_ id: TimerID, on loop: EventLoop) { watchdog.begin() }
    }
}
