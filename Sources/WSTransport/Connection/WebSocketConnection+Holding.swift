import NetPoll
import WSFrame

// Input that a turn cannot take.
//
//     reading ──bytes of the turn used up──▶ held ──a job of the next turn──▶ taken, reading
//        └──────who reads is behind────────▶ paused ──resumeReading()───▶ held or reading
extension WebSocketConnection {
    /// Whether who reads wants nothing more.
    var isDeliveryPaused: Bool { cold?.held.isPaused ?? false }

    /// Receives nothing more until ``resumeReading()``, so that a peer that sends faster than what it says is
    /// worked off feels it through TCP's window.
    ///
    /// Messages that were received already are still delivered, one read's at most; where the peer
    /// compresses, none but the one at hand. Meanwhile neither the peer's end nor its silence is noticed, and
    /// pings are not answered. ``close(_:reason:)`` resumes, for the peer's answer.
    public func pauseReading() {
        guard isOpen else { return }
        if deflate != nil { coldState.held.isPaused = true }
        connection.pauseReading()
    }

    /// Receives again.
    public func resumeReading() {
        cold?.advanced = loop.nowMilliseconds
        guard let cold, cold.held.isPaused else {
            // What is held goes on by itself, and reading behind it.
            if cold?.held.isHolding != true { connection.resumeReading() }
            return
        }
        cold.held.isPaused = false
        if cold.held.isHolding {
            goOnLater(cold)
        } else {
            connection.resumeReading()
            freeCold()
        }
    }

    /// Keeps `rest`, which this turn did not take, and pauses reading.
    func hold(_ rest: RawSpan) {
        guard let deflate, rest.byteCount > 0 || deflate.isFinishing, !connection.isEnded else {
            return
        }
        let cold = coldState
        cold.held.append(rest)
        connection.pauseReading()
        if !cold.held.isPaused { goOnLater(cold) }
    }

    /// Takes what was held, as far as this turn allows.
    func takeHeld() {
        guard let cold, cold.held.isDue else { return }
        cold.held.isDue = false
        guard cold.held.isHolding, !cold.held.isPaused, !connection.isEnded else { return }
        var (bytes, start) = cold.held.takeOut()
        var span = bytes.mutableSpan
        var input = span.mutableBytes
        let end = take(&input, from: start, true)
        if end < bytes.count || deflate?.isFinishing == true, !connection.isEnded {
            cold.held.putBack(bytes, from: end)
            if !cold.held.isPaused { goOnLater(cold) }
            return
        }
        cold.held.release()
        if !cold.held.isPaused { connection.resumeReading() }
        freeCold()
    }

    /// Goes on in a job: in this turn, where that has some of its bytes left, or in the next.
    private func goOnLater(_ cold: Cold) {
        guard !cold.held.isDue else { return }
        cold.held.isDue = true
        // A loop that was shut down has ended all its connections.
        _ = loop.execute { [loop, id] in
            (loop.connection(id)?.handler as? ServedWebSocket)?.heldIsDue()
        }
    }
}
