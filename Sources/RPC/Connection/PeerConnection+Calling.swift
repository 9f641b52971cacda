import NetPoll

// Calls that this side makes.
extension PeerConnection {
    /// A call is to be made; on the loop.
    func submit(_ call: PendingCall) {
        // It was cancelled before it came here.
        guard call.stage == .prepared else { return call.end() }
        // The connection may have ended in this turn, and not have said so yet.
        guard !isClosed, connection.isOpen else { return call.end(Self.noConnection) }
        let now = loop.now.nanoseconds
        let timeout = call.timeout == .max ? callTimeout : call.timeout
        let (end, overflow) = now.addingReportingOverflow(timeout)
        if !overflow { call.deadline = min(call.deadline, end) }
        guard call.deadline > now else {
            return call.end(RPCError(.deadlineExceeded, "the deadline passed", execution: .notRun))
        }
        switch core.opened(call.shape, isOneWay: call.isOneWay, deadline: call.deadline) {
        case .send(let key): send(call, key)
        case .wait(let key): keep(call, key)
        case .refuse(let refusal):
            if refusal == .full { refusedCalls += 1 }
            // The last stream id may be used.
            if refusal == .draining { onCapacity?(0) }
            call.end(Self.error(refusal))
        }
        armTimer()
    }

    /// A caller gave up; on the loop.
    func cancel(_ call: PendingCall) {
        defer {
            if let stream = call.stream { discard(stream) }
        }
        let error = RPCError(.cancelled, "the call was cancelled", execution: .notRun)
        switch call.stage {
        case .over: return
        case .prepared:
            // Its submission is still on its way, and ends it.
            call.failure = error
            call.stage = .over
        case .open(let key):
            guard let wasSent = core.gaveUp(key) else { return }
            if core.hasControl { sendControl() }
            pending[Int(key.slot)] = nil
            var error = error
            if wasSent { error.execution = .unknown }
            call.end(error)
            sendWaiting()
            closeIfDrained()
        }
    }

    /// The request of a call has left.
    func opened(_ call: PendingCall, _ key: CallKey) {
        guard let stream = call.stream, let slot = core.outgoing.slot(key) else { return }
        stream.opened(
            key, isCounted: core.outgoing.entry(slot).pointee.flags.contains(.credited))
    }

    func keep(_ call: PendingCall, _ key: CallKey) {
        call.stage = .open(key)
        while pending.count <= Int(key.slot) { pending.append(nil) }
        pending[Int(key.slot)] = call
    }

    func send(_ call: PendingCall, _ key: CallKey) {
        let timeout =
            call.deadline == .max ? 0 : max(1, call.deadline - loop.now.nanoseconds)
        let payload = call.request.bytes
        let head = RequestHead(
            name: call.name, timeoutNanoseconds: timeout, metadata: call.metadata.fields,
            announces: core.announces, payloadBytes: payload.count)
        guard head.dataBytes <= messageBytesMax else {
            _ = core.gaveUp(key)
            let text = "request of \(head.dataBytes) bytes exceeds \(messageBytesMax)"
            return call.end(RPCError(.resourceExhausted, text, execution: .notRun))
        }
        guard hasRoom(head.dataBytes) else { return refuseFullQueue(call, key) }
        if isLong(head.dataBytes) { return sendLong(call, key, head) }
        let (id, flags) = core.begin(key.slot, shape: call.shape)
        write(head, payload, id, flags)
        if call.isOneWay, flags.contains(.oneWay) { return call.end() }
        keep(call, key)
        opened(call, key)
        // A plain peer answers, and nobody waits for it.
        if call.isOneWay { call.end() }
    }

    /// Whether the connection's queue takes what of a request leaves at once. Its last sixteenth is
    /// for what is short and must not be lost: the ends of calls, credit and pings.
    @inline(__always)
    private func hasRoom(_ dataBytes: Int) -> Bool {
        let isInPieces = isLong(dataBytes) && partialsMax > 0
        let bytes = isInPieces ? min(dataBytes, configuration.pieceBytesMax) : dataBytes
        return connection.queuedBytes + FrameHeader.bytes + bytes <= requestsQueuedMax
    }

    /// A call ends for which too much waits to be sent.
    func refuseFullQueue(_ call: PendingCall, _ key: CallKey) {
        _ = core.gaveUp(key)
        let text = "more than \(configuration.connection.sendQueueBytesMax) bytes to be sent"
        call.end(RPCError(.resourceExhausted, text, execution: .notRun))
    }

    /// Sends calls that waited for room.
    func sendWaiting() {
        // Those that wait when it ends were not run.
        guard connection.isOpen else { return }
        while let slot = core.nextSendable() {
            guard let call = pending[Int(slot)] else {
                preconditionFailure("slot \(slot) waits without a call")
            }
            pending[Int(slot)] = nil
            send(call, core.outgoing.key(slot))
        }
        guard core.nextID == 0, core.waitingCount > 0 || !delayed.isEmpty else { return }
        // The last id was used: those that still wait go elsewhere.
        onCapacity?(0)
        delayed = []
        var cursor: UInt32 = 0
        while let slot = core.nextNotAccepted(&cursor) { end(slot, Self.error(.draining)) }
    }

    /// A call got its answer.
    @inline(__always)
    func end(_ slot: UInt32, _ envelope: ResponseEnvelope, _ data: UnsafeRawBufferPointer) {
        guard let call = take(slot), call.stage != .over else { return }
        if envelope.code == 0, let stream = call.stream {
            if call.shape == .clientStreaming {
                _ = stream.deliver(
                    UnsafeRawBufferPointer(rebasing: data[envelope.payload]), isReply: true)
            }
            call.end()
        } else if envelope.code == 0 {
            call.reply.append(UnsafeRawBufferPointer(rebasing: data[envelope.payload]))
            call.end()
        } else if isLateRefusal(envelope, of: data, call) {
            call.end()
        } else {
            call.end(RPCError(envelope, of: data))
        }
    }

    /// Whether a plain server says of data that their call was over, which had ended well.
    private func isLateRefusal(
        _ envelope: ResponseEnvelope, of data: UnsafeRawBufferPointer, _ call: PendingCall
    ) -> Bool {
        // Go says so too, in other words around these. A handler may fail with that code after its replies' end.
        core.peer == nil && envelope.code == StatusCode.invalidArgument.rawValue
            && call.stream?.isEnded == true
            && RPCError(envelope, of: data).message.contains("no longer active")
    }

    /// A call ends without its answer.
    func end(_ slot: UInt32, _ error: RPCError) {
        guard let call = take(slot), call.stage != .over else { return }
        call.end(error)
    }

    @inline(__always)
    private func take(_ slot: UInt32) -> PendingCall? {
        guard Int(slot) < pending.count else { return nil }
        return pending[Int(slot)].take()
    }

    static func error(_ refusal: OnOpen.Refusal) -> RPCError {
        switch refusal {
        case .full:
            RPCError(.resourceExhausted, "too many calls in flight", execution: .notRun)
        case .draining:
            RPCError(.unavailable, "the connection takes no more calls", execution: .notRun)
        case .unsupported:
            RPCError(.unimplemented, "the peer takes no calls", execution: .notRun)
        }
    }
}

extension RPCError {
    /// The status of an answer.
    init(_ envelope: ResponseEnvelope, of bytes: UnsafeRawBufferPointer) {
        var details: [Detail] = []
        envelope.forEachDetail(of: bytes) { entry in
            let typeURL = String(decoding: bytes[entry.typeURL], as: UTF8.self)
            details.append(Detail(typeURL: typeURL, value: Array(bytes[entry.value])))
        }
        self.init(
            StatusCode(rawValue: envelope.code),
            String(decoding: bytes[envelope.message], as: UTF8.self), details: details,
            execution: .answered)
    }
}
