// Ending without cutting anybody off.
extension EventLoopGroup {
    /// Ends every loop once its connections are done: listeners are closed, and each connection sends
    /// what it has queued, then end-of-file, and waits for the peer's
    /// (``Connection/close()``, ``Connection/Limits/closeTimeout``). What is left after `limit` is
    /// aborted with ``CloseReason/shutdown``. A turn of a loop closes, or aborts, no more than
    /// ``EventLoop/Configuration/closesPerTurnMax`` connections, so that the others are served
    /// meanwhile.
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
    /// Closes listeners and connections, aborts what is left after `limit`, and tells `done` how many
    /// these were when none is left; when the loop is shut down before, how many were left.
    ///
    /// A turn closes, or aborts, no more than ``Configuration/closesPerTurnMax``.
    package func beginDrain(within limit: Duration, _ done: @escaping (Int) -> Void) {
        checkCurrent()
        for token in slots.tokens(.listener) { listener(for: token)?.close() }
        let drain = Drain(deadline: now + limit, done)
        if !drain.look(on: self) { schedule(every: .milliseconds(10), drain) }
    }

    /// How many connections there have been.
    private var connectionsSoFar: Int { counters.accepted + counters.connected }

    /// Connections whose ends are under way, all that is left of them.
    private var endsUnderWay: Int { doomed.count - firstDoomed }

    /// Connections that are not closed, by what is counted anyway: there may be very many.
    private var openConnections: Int { connectionsSoFar - counters.closed - endsUnderWay }

    /// Whether listeners that are closed have connections to deliver yet; O(slots).
    private var hasEndingListeners: Bool {
        slots.tokens(.listener).contains { listener(for: $0)?.isClosed ?? false }
    }

    /// Looks now and then whether all is closed, and closes what another loop has accepted for this
    /// one meanwhile. A look costs the same however many connections are left.
    private final class Drain: TimerTarget {
        private let deadline: Instant
        private var done: ((Int) -> Void)?
        private var left = 0
        private var aborted = 0
        private var isSweeping = false
        /// How many connections there had been when the last sweep began: it met no later ones.
        private var swept = -1
        /// Whether that sweep aborts.
        private var isLate = false

        init(deadline: Instant, _ done: @escaping (Int) -> Void) {
            self.deadline = deadline
            self.done = done
        }

        deinit { finish(aborted + left) }

        func timerFired(_ id: TimerID, on loop: EventLoop) {
            if look(on: loop) { loop.cancel(id) }
        }

        /// - Returns: Whether it is over.
        func look(on loop: EventLoop) -> Bool {
            // What a shutdown ends was left.
            guard !loop.isShuttingDown else { return false }
            left = loop.openConnections
            // Ends that later turns have yet to carry out are waited for, too, and connections that
            // were accepted before.
            guard left > 0 || loop.endsUnderWay > 0 || loop.hasEndingListeners else {
                finish(aborted)
                return true
            }
            let isDue = loop.now >= deadline && !isLate
            if !isSweeping, left > 0, isDue || swept != loop.connectionsSoFar {
                isSweeping = true
                swept = loop.connectionsSoFar
                isLate = loop.now >= deadline
                loop.sweepConnections {
                    self.end($0)
                } done: {
                    self.isSweeping = false
                }
            }
            return false
        }

        private func end(_ connection: Connection) {
            guard connection.loop.now >= deadline else { return connection.close() }
            aborted += 1
            left -= 1
            connection.loop.terminate(connection, .shutdown)
        }

        private func finish(_ count: Int) {
            done?(count)
            done = nil
        }
    }
}
