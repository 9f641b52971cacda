import NetPoll

// Long messages: in pieces, and compressed (PROTOCOL.md, "Messages in pieces", "Compression").
extension PeerConnection {
    // MARK: - That arrive

    func receivePiece(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer, _ now: Int64
    ) throws(ProtocolViolation) {
        switch try core.receivedPiece(header, data) {
        case .alone:
            carryOut(try core.received(header, data, at: now), data)
            dropCancelled(header)
        case .event(let event): carryOut(event, data)
        case .whole(let header, let bytes): try receiveWhole(header, bytes, now)
        }
    }

    private func receiveWhole(
        _ header: FrameHeader, _ bytes: [UInt8], _ now: Int64
    ) throws(ProtocolViolation) {
        var (header, bytes) = (header, bytes)
        if header.flags.contains(.compressed) {
            // It may take its time.
            shelf.endBurst()
            do throws(MessageCompressor.InflateError) {
                bytes = try shelf.compressor(configuration).inflate(bytes)
            } catch {
                return carryOut(
                    core.receivedMalformed(header, bytes),
                    UnsafeRawBufferPointer(start: nil, count: 0))
            }
            header.flags.remove(.compressed)
            header.dataBytes = bytes.count
        }
        // The bytes last until the event is carried out.
        let result = bytes.withUnsafeBytes { data -> Result<Void, ProtocolViolation> in
            do throws(ProtocolViolation) {
                carryOut(try core.receivedWhole(header, data, at: now), data)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    // MARK: - That are sent

    /// The peer's settings are known.
    func noteLongMessages() {
        guard let peer = core.peer else { return }
        longBytesMin = peer.partialsMax > 0 ? configuration.pieceBytesMax + 1 : .max
        if let compression = configuration.compression, peer.takesZlib {
            longBytesMin = min(longBytesMin, max(1, compression.messageBytesMin))
        }
    }

    /// Whether a message of so many bytes is compressed or sent in pieces.
    @inline(__always)
    func isLong(_ bytes: Int) -> Bool { bytes >= longBytesMin }

    /// How many messages the peer takes in pieces at once.
    var partialsMax: Int { core.peer.map { Int($0.partialsMax) } ?? 0 }

    /// Whether so many more bytes would be too many to wait here.
    private func isFull(_ bytes: Int) -> Bool {
        !outbox.isEmpty && outbox.bytes + bytes > configuration.connection.sendQueueBytesMax
    }

    /// Sends a request that is not one plain frame.
    func sendLong(_ call: PendingCall, _ key: CallKey, _ head: RequestHead) {
        guard !isFull(head.dataBytes) else { return refuseFullQueue(call, key) }
        // Its first piece has to leave before any later request has its id.
        guard head.dataBytes <= configuration.pieceBytesMax || outbox.activeCount < partialsMax
        else {
            keep(call, key)
            // Those that are over keep their places until their turn comes: not many more than there are calls.
            if delayed.count >= 2 * core.outgoing.count + 16 {
                // Assigned, so that what goes is released when the field is whole again.
                delayed = delayed.filter { core.outgoing.slot($0.key) != nil }
            }
            delayed.append((call, key))
            return
        }
        let (id, flags) = core.begin(key.slot, shape: call.shape)
        let message = OutgoingMessage(
            .request, id, flags, head.bytes(call.request.bytes, stream: id))
        let isOver = flags.contains(.oneWay)
        if !isOver {
            keep(call, key)
            message.whenOver = { [self] wasSent in
                if wasSent { opened(call, key) }
            }
        }
        send(message)
        if call.isOneWay { call.end() }
    }

    /// Sends requests that waited for a place in the outbox.
    private func sendDelayed() {
        // One that is answered by nobody gives its place back when its first piece leaves.
        if !delayed.isEmpty { settleLater() }
        while outbox.activeCount < partialsMax, !delayed.isEmpty, connection.isOpen,
            core.nextID != 0
        {
            let (call, key) = delayed.removeFirst()
            // It may be over meanwhile, or already be another call.
            guard core.outgoing.slot(key) != nil, call.stage == .open(key) else { continue }
            pending[Int(key.slot)] = nil
            send(call, key)
        }
    }

    /// Sends a response that is not one plain frame.
    func writeLong(_ head: ResponseHead, _ payload: UnsafeRawBufferPointer, _ id: UInt32) {
        if isFull(head.dataBytes) {
            let text = "more than \(configuration.connection.sendQueueBytesMax) bytes to be sent"
            return write(
                id, RPCError(.resourceExhausted, text), .init(start: nil, count: 0))
        }
        send(OutgoingMessage(.response, id, [], head.bytes(payload, stream: id)))
    }

    /// Sends a stream's message that is not one plain frame; `whenOver` is told when it has left.
    func writeLong(
        _ bytes: [UInt8], to stream: CallStream, _ key: CallKey,
        _ whenOver: @escaping (Bool) -> Void
    ) -> OnSend {
        guard !isClosed else { return .closed }
        // What leaves in turns waits its time in the outbox.
        if bytes.count <= configuration.pieceBytesMax || partialsMax == 0 {
            guard mayWriteNow() else { return .wait }
        }
        let outcome = core.mayWrite(stream.side, key, messageBytes: bytes.count)
        guard case .send(let id) = outcome else { return outcome }
        let (sent, flags) = compressed(bytes)
        let message = OutgoingMessage(.data, id, flags, sent)
        message.whenOver = whenOver
        if stream.isCounted {
            message.credit = (stream.side, key)
            message.firstCost = ConnectionCore.cost(bytes.count)
            let rest = sent.count - configuration.pieceBytesMax
            if flags.isEmpty, rest > 0, partialsMax > 0 {
                // Later pieces cost when they leave.
                core.wrote(stream.side, key, pieceBytes: -rest)
                message.firstCost -= rest
            }
        }
        start(message)
        return outcome
    }

    /// The message as it is sent: compressed where both sides do so and it becomes shorter.
    func compressed(_ bytes: [UInt8]) -> (bytes: [UInt8], flags: FrameFlags) {
        guard let compression = configuration.compression, core.peer?.takesZlib == true,
            bytes.count >= compression.messageBytesMin,
            let shorter = bytes.withUnsafeBytes({ shelf.compressor(configuration).compress($0) })
        else { return (bytes, []) }
        return (shorter, .compressed)
    }

    /// Sends a request or response that is not one plain frame.
    func send(_ message: OutgoingMessage) {
        let (bytes, flags) = compressed(message.bytes)
        let ready = OutgoingMessage(
            message.type, message.stream, message.flags.union(flags), bytes)
        ready.whenOver = message.whenOver
        start(ready)
    }

    /// Sends a message at once where it fits one frame, else in turns with others. A stream's message
    /// waits with those where the peer does not take what was sent before.
    func start(_ message: OutgoingMessage) {
        let isOneFrame = message.bytes.count <= configuration.pieceBytesMax || partialsMax == 0
        guard !isOneFrame || (message.type == .data && partialsMax > 0 && !mayWriteNow()) else {
            sendPiece(message, message.bytes.count)
            return message.end(wasSent: true)
        }
        // A request's first piece keeps the order of the requests.
        if message.type == .request { sendPiece(message, configuration.pieceBytesMax) }
        outbox.add(message, activeMax: partialsMax)
        sendPieces()
    }

    private func sendPiece(_ message: OutgoingMessage, _ count: Int) {
        let end = message.sent + count
        var flags: FrameFlags = message.sent == 0 ? message.flags : []
        if end < message.bytes.count { flags.insert(.more) }
        let header = FrameHeader(
            dataBytes: count, stream: message.stream, type: message.type, flags: flags)
        message.bytes.withUnsafeBytes {
            write(header, UnsafeRawBufferPointer(rebasing: $0[message.sent..<end]))
        }
        if let (side, key) = message.credit, message.sent > 0,
            !message.flags.contains(.compressed)
        {
            core.wrote(side, key, pieceBytes: count)
        }
        message.sent = end
    }

    /// Sends pieces in turns, as long as the peer takes what was sent before.
    ///
    /// - Returns: Whether any piece was sent.
    @discardableResult
    func sendPieces() -> Bool {
        // A message that has left may bring the next one.
        guard !isSendingPieces else { return false }
        isSendingPieces = true
        defer { isSendingPieces = false }
        var hasSent = false
        while !outbox.isEmpty, !isClosed, mayWriteNow(), let message = outbox.next() {
            let count = min(configuration.pieceBytesMax, message.bytes.count - message.sent)
            sendPiece(message, count)
            hasSent = true
            outbox.sent(count)
            guard message.sent == message.bytes.count else { continue }
            outbox.remove(message, activeMax: partialsMax)
            message.end(wasSent: true)
            sendDelayed()
            if outbox.isEmpty { settleLater() }
        }
        return hasSent
    }

    /// What was left of a call's messages is not sent.
    func drop(stream: UInt32) {
        guard !outbox.isEmpty else { return }
        for message in outbox.messages(of: stream) {
            outbox.remove(message, activeMax: partialsMax)
            if message.sent == 0 { refund(message) }
            message.end(wasSent: false)
        }
        sendDelayed()
    }

    /// What a message took of the connection's credit and did not use.
    private func refund(_ message: OutgoingMessage) {
        guard message.credit != nil else { return }
        core.sendCredit += message.firstCost
    }
}
