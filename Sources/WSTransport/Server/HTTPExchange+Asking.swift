import NetPoll
import WSFrame

// Requests about which a task has to ask before anything is decided.
extension HTTPExchange {
    func ask(
        _ question: @escaping WebSocketServer.Question, about request: HTTPRequest,
        _ upgrade: WebSocketUpgrade?, _ connection: Connection
    ) {
        let asked = PendingRequest(request, .decision(upgrade))
        let running = RunningResponder(self, on: connection)
        asked.running = running
        pending = asked
        phase = .responding
        arm(shard.configuration.handshakeTimeout, connection)
        running.start(question)
    }

    /// The task that asked has ended.
    func decided(_ result: Result<@Sendable () -> WebSocketServer.Decision, any Error>) {
        guard let connection, let pending, phase == .responding,
            case .decision(let upgrade) = pending.answer
        else { return }
        pending.running = nil
        // Nobody is left to talk to over a WebSocket.
        if hasPeerEnded, upgrade != nil {
            forgetPending()
            return end(connection)
        }
        switch result {
        case .success(let decide):
            self.pending = nil
            phase = .head
            let webSocket = carryOut(
                decide(), of: pending.request, upgrade, isAllRead: !hasCarried, connection)
            // What came meanwhile are frames.
            if let webSocket { return giveCarried(to: webSocket) }
        case .failure(is CancellationError) where hasPeerEnded:
            forgetPending()
            end(connection)
        case .failure(let error):
            fail(
                .responderFailed("\(error)"),
                HTTPResponse(status: .internalServerError, text: "500 Internal Server Error\n"),
                connection)
        }
        if phase == .head || phase == .body { readCarried(connection) }
    }
}
