import NetPoll
import WSFrame

// Frames on their way to the peer.
extension WebSocketConnection {
    func write(
        _ payload: RawSpan, opcode: Opcode, isCompressed: Bool = false
    ) -> WriteOutcome {
        guard framing.role == .server else {
            return writeMasked(payload, opcode: opcode, isCompressed: isCompressed)
        }
        let count = payload.byteCount
        let header = FrameHeader(
            isCompressed: isCompressed, opcode: opcode, payloadBytes: count)
        let headerBytes = FrameEncoder.headerBytes(payloadBytes: count)
        if count < EventLoop.throughBytesMin, let place = connection.reserve(headerBytes + count) {
            // The place has room for header and payload: that much was reserved.
            FrameEncoder.encodeHeader(header, into: place)
            // unsafe: as many bytes as the payload has; the pointer is used within the closure.
            payload.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                (place + headerBytes).copyMemory(from: base, byteCount: count)
            }
            return .accepted
        }
        return writeThrough(payload, header)
    }

    /// Sends a large frame from the caller's memory, or what is to wait behind others.
    @inline(never)
    private func writeThrough(_ payload: RawSpan, _ header: FrameHeader) -> WriteOutcome {
        payload.withUnsafeBytes { bytes in
            withUnsafeTemporaryAllocation(byteCount: FrameHeader.bytesMax, alignment: 1) {
                head in
                guard let start = head.baseAddress else { return .closed }
                let count = FrameEncoder.encodeHeader(header, into: start)
                return connection.write(
                    head: UnsafeRawBufferPointer(rebasing: head[..<count]), body: bytes)
            }
        }
    }

    func writeClose(_ code: CloseCode?, _ reason: String = "") {
        let key = framing.role == .client ? shard.maskingKey() : nil
        let frame = FrameEncoder.closeFrame(code, reason: reason, maskingKey: key)
        guard hasRoom(for: frame.count) else {
            coldState.owed = coldState.owed ?? OwedFrames()
            coldState.owed?.close = frame
            connection.awaitFall()
            return
        }
        connection.write(frame.span.bytes)
    }

    /// Answers a ping; where the queue refuses it, later, unless another comes meanwhile.
    func writePong(_ payload: RawSpan) {
        guard write(payload, opcode: .pong) == .refused else { return }
        coldState.owed = coldState.owed ?? OwedFrames()
        coldState.owed?.pong = payload.withUnsafeBytes { Array($0) }
        connection.awaitFall()
    }

    /// Closes the transport behind the close frame, for which a peer that does not read is waited
    /// for no longer than for the answer to one.
    func endTransport() {
        guard cold?.owed?.close != nil else { return connection.close() }
        cold?.owed?.endsTransport = true
        if timer == .none { timer = loop.schedule(after: shard.closeTimeout, timerTarget) }
    }

    /// The queue fell to its low watermark: writes what is owed.
    func writeOwed() {
        guard let cold, let owed = cold.owed else { return }
        cold.owed = nil
        if let pong = owed.pong { writePong(pong.span.bytes) }
        guard let close = owed.close else { return freeCold() }
        guard hasRoom(for: close.count) else {
            coldState.owed = coldState.owed ?? OwedFrames()
            coldState.owed?.close = close
            coldState.owed?.endsTransport = owed.endsTransport
            connection.awaitFall()
            return
        }
        connection.write(close.span.bytes)
        guard owed.endsTransport else { return }
        stopTimer()
        connection.close()
    }

    /// Whether `count` bytes fit behind what the kernel does not take.
    private func hasRoom(for count: Int) -> Bool {
        let most = connection.limits.sendQueueBytesMax
        if connection.queuedBytes + count <= most { return true }
        // Only what the kernel leaves can be waited for.
        connection.offerGathered()
        return connection.queuedBytes + count <= most
    }

    /// Writes a client's frame, masked with a fresh key (RFC 6455 §5.3).
    private func writeMasked(
        _ payload: RawSpan, opcode: Opcode, isCompressed: Bool
    ) -> WriteOutcome {
        let key = shard.maskingKey()
        let count = payload.byteCount
        let frameBytes = FrameEncoder.headerBytes(payloadBytes: count, role: .client) + count
        if let place = connection.reserve(frameBytes) {
            let target = UnsafeMutableRawBufferPointer(start: place, count: frameBytes)
            FrameEncoder.encode(
                payload, opcode: opcode, isCompressed: isCompressed, maskingKey: key, into: target)
            return .accepted
        }
        let frame = shard.maskedFrame(bytes: frameBytes)
        frame.encode(
            payload, opcode: opcode, isCompressed: isCompressed, key: key, count: frameBytes)
        return connection.write(frame.bytes, keptAliveBy: frame)
    }
}
