// Writing from tasks, on the loop: what waits does so in a task that is resumed there.
extension AsyncConnectionCore {
    /// The most bytes offered at once. Together with the high watermark this stays below the
    /// queue's bound, so that a task's write is never refused and never overflows.
    var pieceBytesMax: Int {
        let limits = connection.settings.limits
        return min(64 << 10, max(1, limits.sendQueueBytesMax - limits.highWatermark))
    }

    func writePiece(_ bytes: RawSpan) -> WriteOutcome {
        let outcome = connection.write(bytes)
        guard outcome == .accepted else { return outcome }
        return connection.isAboveHighWatermark() ? .aboveHighWatermark : .accepted
    }

    /// Writes in turn, behind what other tasks write.
    ///
    /// - Returns: What kept some of the bytes from being written.
    func writeInPieces(_ bytes: [UInt8]) async -> ConnectionError? {
        if !mayWrite {
            repeat {
                await withUnsafeContinuation { (waiter: Waiter) in
                    waitToWrite(waiter, goesFirst: false)
                }
            } while isWriting && connection.isOpen
        }
        // A closed connection's writers all go on, to be told so by their first piece.
        beginWriting()
        defer { endWriting() }
        var written = 0
        while written < bytes.count {
            let end = min(bytes.count, written + pieceBytesMax)
            let outcome = writePiece(bytes.span.bytes.extracting(written..<end))
            switch outcome {
            case .closed: return writeError
            case .accepted: written = end
            case .aboveHighWatermark:
                written = end
                await waitForRoom()
            case .refused: await waitForRoom()
            }
        }
        return nil
    }

    /// Waits for room after a write of one piece, while other tasks' writes wait too.
    func waitForRoomAlone() async {
        beginWriting()
        await waitForRoom()
        endWriting()
    }

    /// Waits until the queue fell to its low watermark, or the connection ended.
    func waitForRoom() async {
        await withUnsafeContinuation { (waiter: Waiter) in waitToWrite(waiter, goesFirst: true) }
    }
}
