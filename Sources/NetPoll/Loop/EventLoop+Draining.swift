// Ending without cutting anybody off.
extension EventLoopGroup {
    /// Ends every loop once its connections are done: listeners are closed, and each connection sends
    /// what it has queued, then end-of-file, and waits for the peer's
    /// (``Connection/close()``, ``Connection/Limits/closeTimeout``). What is left after `limit` is
    /// aborted with ``CloseReason/shutdown``.
    ///
    /// Handlers that have last words to write do so before.
    ///
    /// - Returns: How many connections were aborted.
    @discardableResult
    public func shutdown(gracefullyWithin limit: Duration) async -> Int {
        let aborted = await withTaskGroup(of: Int.self) { draining in
            for loop in loops {
                draining.addTask {
                    await withCheckedContinuation { continuation in
                        let willRun = loop.execute {
                            loop.beginDrain(within: limit) { continuation.resume(returning: $0) }
                        }
                        if !willRun { continuation.resume(returning: 0) }
                    }
                }
            }
            return await draining.reduce(0, +)
        }
        await shutdown()
        return aborted
    }
}

extension EventLoop {
    /// Closes listeners and connections, and tells `done` how many of these are left when none is,
    /// or after `limit`, or when the loop is shut down before.
    package func beginDrain(within limit: Duration, _ done: @escaping (Int) -> Void) {
        checkCurrent()
        for token in slots.tokens(.listener) { listener(for: token)?.close() }
        let drain = Drain(deadline: now + limit, done)
        if !drain.advance(on: self) { schedule(every: .milliseconds(10), drain) }
    }

    /// Looks now and then whether all is closed, and closes what another loop has accepted for this
    /// one meanwhile.
    private final class Drain: TimerTarget {
        private let deadline: Instant
        private var done: ((Int) -> Void)?
        private var left = 0

        init(deadline: Instant, _ done: @escaping (Int) -> Void) {
            self.deadline = deadline
            self.done = done
        }

        deinit { finish(left) }

        func timerFired(_ id: TimerID, on loop: EventLoop) {
            if advance(on: loop) { loop.cancel(id) }
        }

        /// - Returns: Whether it is over.
        func advance(on loop: EventLoop) -> Bool {
            left = 0
            loop.forEachConnection { connection in
                left += 1
                connection.close()
            }
            guard left == 0 || loop.now >= deadline else { return false }
            finish(left)
            return true
        }

        private func finish(_ left: Int) {
            done?(left)
            done = nil
        }
    }
}
