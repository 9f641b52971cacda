import NetPoll
import WSFrame

// One timer for all that waits: the heartbeat, an incomplete message, the closing handshake.
extension WebSocketConnection {
    /// Sends a ping, gives a silent peer up, or ends a closing handshake that took too long.
    func timerFired() {
        timer = .none
        guard framing.maySend else {
            if case .local = ending, !framing.isClosed { ending = .closeTimedOut }
            connection.abort()
            return
        }
        // Who is not read cannot be heard.
        if connection.isReadingPaused {
            lastReceived = loop.nowMilliseconds
            cold?.advanced = lastReceived
        }
        let stallLeft = timeToStall
        let isStalled = stallLeft.map { $0 <= .zero } ?? false
        // The difference is right although the clock wraps: silence ends with the timeout.
        let silence = Duration.milliseconds(loop.nowMilliseconds &- lastReceived)
        switch shard.heartbeat.map({ rhythm.beat(after: silence, $0) }) {
        case .giveUp:
            // Nobody is there to be told that the message is incomplete.
            ending = .heartbeatTimedOut
            connection.abort()
        case _ where isStalled: giveUp(.inputStalled, .goingAway, "input stalled")
        case .ping(let next):
            _ = write(RawSpan(), opcode: .ping)
            timer = loop.schedule(after: min(next, stallLeft ?? next), timerTarget)
        case .wait(let next):
            timer = loop.schedule(after: min(next, stallLeft ?? next), timerTarget)
        case nil:
            if let stallLeft { timer = loop.schedule(after: stallLeft, timerTarget) }
        }
    }

    /// A message that is incomplete came forward. The connection's one timer need not be moved for it
    /// where it fires soon enough by itself.
    func inputAdvanced(isNew: Bool) {
        guard let timeout = shard.inputStallTimeout, framing.maySend else { return }
        cold?.advanced = loop.nowMilliseconds
        guard isNew else { return }
        if timer == .none {
            timer = loop.schedule(after: timeout, timerTarget)
        } else if let beat = shard.earlyBeat {
            loop.reschedule(timer, after: beat)
        }
    }

    /// How long the incomplete message may still bring nothing; `nil` where there is none.
    private var timeToStall: Duration? {
        guard let timeout = shard.inputStallTimeout, let cold, !cold.carried.isEmpty else {
            return nil
        }
        return timeout - .milliseconds(loop.nowMilliseconds &- cold.advanced)
    }

    func stopTimer() {
        guard timer != .none else { return }
        loop.cancel(timer)
        timer = .none
    }
}
