import NetPoll
import WSFrame

// Answers whose bodies are written piece by piece.
extension HTTPExchange {
    /// Writes the head; whether a body follows.
    func beginStream(_ head: HTTPResponse) -> Bool {
        guard let connection, let pending, phase == .responding else { return false }
        let request = pending.request
        let length: HTTPResponse.Length = request.version == .http11 ? .chunked : .untilClose
        isLast = isLastRequest(request) || length == .untilClose
        streamsChunks = length == .chunked
        var bytes: [UInt8] = []
        head.appendHead(
            for: request, isLast ? .close : .asRequested, length: length,
            date: shard.date(at: connection.loop.now), to: &bytes)
        streamed = (head.status, 0)
        noteAnswered()
        guard head.sendsBody(to: request) else {
            finishStream(bytes, connection)
            if phase == .head { readCarried(connection) }
            return false
        }
        phase = .streaming
        streamAwaitsFall = false
        stopTimer(connection.loop)
        return goesOn(after: connection.write(bytes.span.bytes), connection)
            || phase == .streaming
    }

    /// Writes a piece of the body; whether more may be written at once.
    func writeChunk(_ data: [UInt8]) -> Bool {
        guard let connection, phase == .streaming else { return false }
        streamed.bodyBytes += data.count
        guard streamsChunks else {
            return goesOn(after: connection.write(data.span.bytes), connection)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + 16)
        HTTPChunk.append(data, to: &bytes)
        return goesOn(after: connection.write(bytes.span.bytes), connection)
    }

    func endStream() {
        guard let connection, phase == .streaming else { return }
        finishStream(streamsChunks ? Array(HTTPChunk.last.utf8) : [], connection)
        if phase == .head { readCarried(connection) }
    }

    /// The body is not whole, and must not look so.
    func breakStream(_ error: any Error) {
        guard let connection, phase == .streaming else { return }
        if !(error is CancellationError) {
            let client = pending.map { clientAddress(of: $0.request) } ?? remoteAddress
            shard.observe(.responderFailed("\(error)"), client)
        }
        forgetPending()
        phase = .over
        connection.abort()
    }

    /// The client took what was written.
    func streamFell(_ connection: Connection) {
        stopTimer(connection.loop)
        streamAwaitsFall = false
        pending?.running?.resumeWriters()
    }

    private func finishStream(_ bytes: [UInt8], _ connection: Connection) {
        if let pending {
            log(
                pending.request, streamed.status, bodyBytes: streamed.bodyBytes, connection.loop)
        }
        pending?.running = nil
        forgetPending()
        outgoing = bytes
        sendOn(connection, givesTime: true)
    }

    private func goesOn(after outcome: WriteOutcome, _ connection: Connection) -> Bool {
        switch outcome {
        case .accepted where !connection.isAboveHighWatermark():
            return true
        case .accepted, .aboveHighWatermark:
            streamAwaitsFall = true
            connection.awaitFall()
            arm(shard.configuration.sendTimeout, connection)
        case .closed, .refused:
            forgetPending()
            phase = .over
            connection.abort()
        }
        return false
    }
}
