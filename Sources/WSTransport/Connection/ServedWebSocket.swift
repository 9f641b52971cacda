import NetPoll

/// What the loop calls; kept apart so that the public class shows only what its users call.
final class ServedWebSocket: WebSocketConnection, ConnectionHandler, TimerTarget {
    func received(_ bytes: inout MutableRawSpan, on connection: Connection) {
        receive(&bytes, from: 0)
        readEnded()
    }

    /// A job posted for input that was held.
    func heldIsDue() {
        takeHeld()
        readEnded()
    }

    private func readEnded() {
        if shard.servesTasks, let task = handler as? AsyncWebSocketCore { task.readEnded() }
    }

    func roseAboveHighWatermark(_ connection: Connection) { handler.congested(self) }

    func receivedEnd(on connection: Connection) { endTransport() }

    func fellBelowLowWatermark(_ connection: Connection) {
        writeOwed()
        handler.drained(self)
    }

    func closed(_ connection: Connection, reason: CloseReason) { ended(reason) }

    func timerFired(_ id: TimerID, on loop: EventLoop) { timerFired() }
}

extension WebSocketConnection {
    var timerTarget: any TimerTarget {
        guard let served = self as? ServedWebSocket else {
            preconditionFailure("a WebSocketConnection that is not served")
        }
        return served
    }
}
