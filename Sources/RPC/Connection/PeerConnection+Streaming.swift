import NetPoll

// Messages of streams.
extension PeerConnection {
    /// A stream's message or end arrived.
    func receive(
        _ side: CallSide, _ slot: UInt32, _ message: UnsafeRawBufferPointer?, isEnd: Bool,
        isOver: Bool
    ) {
        guard let stream = stream(side, slot) else { return }
        if let message, !stream.deliver(message) {
            return overflowed(side, slot, stream)
        }
        guard isEnd else { return }
        stream.end()
        guard isOver, let call = pending[Int(slot)].take() else { return }
        call.end()
    }

    private func overflowed(_ side: CallSide, _ slot: UInt32, _ stream: CallStream) {
        let error = RPCError(
            .resourceExhausted,
            "more than \(CallStream.uncountedBytesMax) bytes wait to be read")
        switch side {
        case .outgoing:
            guard let key = stream.key else { return }
            _ = core.gaveUp(key, code: .resourceExhausted)
            end(slot, error)
        case .incoming:
            if let id = core.answeredEarly(slot) { write(id, error, .init(start: nil, count: 0)) }
            abandon(slot, error)
        }
        if core.hasControl { sendControl() }
    }

    private func stream(_ side: CallSide, _ slot: UInt32) -> CallStream? {
        switch side {
        case .outgoing: Int(slot) < pending.count ? pending[Int(slot)]?.stream : nil
        case .incoming: serving(slot)?.stream
        }
    }

    /// A call that streams is over: its writers end, with its failure where it has one.
    func close(_ stream: CallStream, _ failure: RPCError? = nil) {
        stream.close(
            failure ?? RPCError(.cancelled, "the call is over", execution: .unknown))
    }

    /// Nobody reads a stream any more: what it holds is credit again.
    func discard(_ stream: CallStream) {
        let cost = stream.discard()
        if cost > 0 { consumed(cost, of: stream) }
    }

    /// Messages were read.
    func consumed(_ cost: Int, of stream: CallStream) {
        guard !isClosed, stream.isCounted, let key = stream.key else { return }
        core.consumed(stream.side, key, cost: cost)
        if core.hasControl { sendControl() }
    }

    /// Sends a message where there is credit and the peer takes what was sent before.
    func writeData(_ message: [UInt8], _ side: CallSide, _ key: CallKey) -> OnSend {
        guard !isClosed else { return .closed }
        guard mayWriteNow() else { return .wait }
        let outcome = core.mayWrite(side, key, messageBytes: message.count)
        guard case .send(let id) = outcome else { return outcome }
        let header = FrameHeader(dataBytes: message.count, stream: id, type: .data)
        message.withUnsafeBytes { write(header, $0) }
        return outcome
    }

    /// Whether the peer takes what was sent before; if not, streams are flushed when it does.
    func mayWriteNow() -> Bool {
        // What waits already has its turn first.
        guard !isCongested, !isWriteScheduled else { return false }
        guard connection.queuedBytes > configuration.connection.highWatermark else { return true }
        writeLater()
        return false
    }

    /// Ends this side of a stream, in a frame of its own.
    func closeData(_ side: CallSide, _ key: CallKey) {
        guard !isClosed, let id = core.closedWrite(side, key) else { return }
        write(
            FrameHeader(dataBytes: 0, stream: id, type: .data, flags: .closing),
            .init(start: nil, count: 0))
        // Where the called side ended first, the call is over with it.
        guard side == .outgoing, core.outgoing.slot(key) == nil,
            let call = pending[Int(key.slot)].take()
        else { return }
        call.end()
        settleLater()
    }

    func write(_ header: FrameHeader, _ data: UnsafeRawBufferPointer) {
        if let place = connection.reserve(FrameHeader.bytes + data.count) {
            header.write(to: place)
            if let base = data.baseAddress {
                (place + FrameHeader.bytes).copyMemory(from: base, byteCount: data.count)
            }
            return
        }
        withUnsafeTemporaryAllocation(byteCount: FrameHeader.bytes, alignment: 1) { place in
            guard let start = place.baseAddress else { return }
            header.write(to: start)
            _ = connection.write(head: UnsafeRawBufferPointer(place), body: data)
        }
    }

    /// Lets what waits try again: long messages and streams, each first in turn, as either may take all
    /// that the peer takes.
    func flushWaiting() {
        var hasSent = false
        if !areStreamsFirst, sendPieces() { hasSent = true }
        if flushStreams() { hasSent = true }
        if areStreamsFirst, sendPieces() { hasSent = true }
        // Where nothing could be sent, it was nobody's turn.
        if hasSent { areStreamsFirst.toggle() }
    }

    /// Lets streams try again, from the one behind the last that could send. O(slots).
    ///
    /// - Returns: Whether any could.
    private func flushStreams() -> Bool {
        var hasSent = false
        var place = streamTurn
        for _ in 0..<pending.count + served.count {
            if place >= pending.count + served.count { place = 0 }
            let stream = stream(at: place)
            place += 1
            guard let stream, stream.flush() else { continue }
            hasSent = true
            streamTurn = place
        }
        return hasSent
    }

    private func stream(at place: Int) -> CallStream? {
        guard place >= pending.count else { return pending[place]?.stream }
        let slot = place - pending.count
        return slot < served.count ? served[slot]?.stream : nil
    }

    /// What was gathered leaves at the end of this turn: the next may write again.
    func writeLater() {
        guard !isWriteScheduled else { return }
        isWriteScheduled = true
        loop.execute { [self] in
            isWriteScheduled = false
            if !isClosed { flushWaiting() }
        }
    }

    func roseAboveHighWatermark(_ connection: Connection) { isCongested = true }

    func fellBelowLowWatermark(_ connection: Connection) {
        isCongested = false
        flushWaiting()
    }
}

// Calls of the peer's that stream.
extension PeerConnection {
    func openStream(
        of call: ServedCall, _ shape: CoreEvent.IncomingShape, _ data: UnsafeRawBufferPointer
    ) {
        let stream = CallStream(self, .incoming)
        let entry = core.incoming.entry(call.slot)
        stream.opened(
            core.incoming.key(call.slot), isCounted: entry.pointee.flags.contains(.credited))
        call.stream = stream
        guard call.entry?.shape.clientStreams == true, let envelope = call.envelope else { return }
        // A caller that does not stream sends one message, even an empty one.
        if shape == .streamingOut || !envelope.payload.isEmpty {
            let payload = UnsafeRawBufferPointer(rebasing: data[envelope.payload])
            _ = stream.deliver(payload, isReply: true)
        }
        if shape == .streamingOut { stream.end() }
    }

    /// Tells the caller that a handler is done.
    func answer(_ call: ServedCall) {
        guard let stream = call.stream else {
            if let id = core.answered(call.slot) { write(id, call.failure, call.reply.bytes) }
            return
        }
        if stream.isSending {
            // A task that outlived its handler: what it began to send cannot end well.
            let error = RPCError(.cancelled, "the handler ended before its message was sent")
            close(stream)
            drop(stream: core.incoming.entry(call.slot).pointee.id)
            if let id = core.answered(call.slot) {
                write(id, call.failure ?? error, .init(start: nil, count: 0))
            }
        } else if call.failure == nil, call.entry?.shape.serverStreams == true {
            stream.finish()
            // That was the end of the replies, as the handler may say by itself and then read on.
            let mayBeSent = core.maySendOn(call.slot)
            if let id = core.answered(call.slot), mayBeSent {
                write(id, nil, .init(start: nil, count: 0))
            }
        } else if let id = core.answered(call.slot) {
            write(id, call.failure, call.reply.bytes)
        }
        stream.end()
        close(stream)
        discard(stream)
    }
}
