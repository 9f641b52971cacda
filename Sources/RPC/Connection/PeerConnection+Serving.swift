import NetPoll

// Calls that the peer makes.
extension PeerConnection {
    private static let deadlinePassed = RPCError(
        .deadlineExceeded, "the deadline passed", execution: .notRun)

    @inline(__always)
    func serve(
        _ slot: UInt32, _ envelope: RequestEnvelope, _ shape: CoreEvent.IncomingShape,
        _ data: UnsafeRawBufferPointer
    ) {
        let found = table.find(
            UnsafeRawBufferPointer(rebasing: data[envelope.service]),
            UnsafeRawBufferPointer(rebasing: data[envelope.method]))
        guard let entry = found else { return refuse(slot, Self.unknownMethod(envelope, data)) }
        guard entry.accepts(shape) else {
            let text = "the method is \(entry.shape)"
            return refuse(slot, RPCError(.invalidArgument, text, execution: .notRun))
        }
        let deadline = core.incoming.entry(slot).pointee.deadline
        // The turn's clock stands still while handlers run within it.
        guard deadline == .max || loop.clockNow.nanoseconds < deadline else {
            shelf.gate.shed(1)
            return refuse(slot, Self.deadlinePassed)
        }
        var admittedAt: Int64?
        if shelf.gate.isLimiting {
            let now = loop.now.nanoseconds
            let isCounted = entry.shape == .unary && entry.execution != .inline
            if let refusal = shelf.gate.enter(isCounted: isCounted, at: now) {
                return refuse(slot, refusal)
            }
            if isCounted { admittedAt = now }
        }
        guard entry.execution != .inline else {
            return serveInline(slot, entry, envelope, data, deadline)
        }
        let call = shelf.take(entry.execution)
        call.admittedAt = admittedAt
        call.peer = self
        call.slot = slot
        call.number &+= 1
        call.entry = entry
        call.envelope = envelope
        call.deadline = deadline
        call.startedAt = loop.now.nanoseconds
        shelf.records.started(entry.index)
        call.data.append(data)
        while served.count <= Int(slot) { served.append(nil) }
        served[Int(slot)] = call
        if entry.shape != .unary { openStream(of: call, shape, data) }
        if entry.execution == .pool { shelf.addToBurst() }
        call.start()
    }

    private func serveInline(
        _ slot: UInt32, _ entry: MethodEntry, _ envelope: RequestEnvelope,
        _ data: UnsafeRawBufferPointer, _ deadline: Int64
    ) {
        // It may take its time.
        shelf.endBurst()
        let context = RPCContext(
            metadata: envelope.metadataCount == 0 ? [:] : shelf.metadata(envelope, of: data),
            deadline: deadline == .max ? nil : Instant(nanoseconds: deadline),
            connection: RPCConnection(self))
        var failure: RPCError?
        shelf.scratch.reset()
        do {
            // The span is used within the call only.
            let payload = UnsafeRawBufferPointer(rebasing: data[envelope.payload])
            try entry.runInline(RawSpan(_unsafeBytes: payload), context, &shelf.scratch)
        } catch {
            failure = RPCError(ofHandler: error)
        }
        shelf.records.servedInline(entry.index, failed: failure != nil)
        // The handler may have ended the connection.
        guard !isClosed, let id = core.answered(slot) else { return }
        write(id, failure, shelf.scratch.bytes)
    }

    /// A handler is done; on the loop.
    func finished(_ call: ServedCall) {
        shelf.gate.leave(call, at: loop)
        if let entry = call.entry {
            shelf.records.ended(
                entry.index, nanoseconds: loop.now.nanoseconds - call.startedAt,
                failed: call.failure != nil || call.isCancelled)
        }
        let slot = Int(call.slot)
        if slot < served.count, served[slot] === call {
            served[slot] = nil
            if isClosed {
                outlived(call.slot)
            } else {
                answer(call)
                closeIfDrained()
            }
        }
        shelf.giveBack(call)
    }

    /// An interceptor brought the deadline of a call forward; on the loop.
    func shorten(_ deadline: Int64, of call: ServedCall, _ number: UInt64) {
        // It may be over, or be another call.
        guard call.number == number, serving(call.slot) === call else { return }
        let entry = core.incoming.entry(call.slot)
        guard deadline < entry.pointee.deadline else { return }
        core.note(deadline: deadline, of: entry)
        armTimer()
    }

    func serving(_ slot: UInt32) -> ServedCall? {
        Int(slot) < served.count ? served[Int(slot)] : nil
    }

    /// Nobody waits for a call of the peer's any more; see ``abandon(_:_:)``.
    func abandon(_ slot: UInt32, _ error: RPCError) {
        if let call = serving(slot) { abandon(call, error) }
    }

    /// A call of the peer's is over: its handler is cancelled, and whoever reads or sends for it is told,
    /// in tasks that the handler's does not cancel too.
    func abandon(_ call: ServedCall, _ error: RPCError) {
        call.cancel()
        guard let stream = call.stream else { return }
        stream.end(error)
        close(stream, error)
    }

    private func refuse(_ slot: UInt32, _ error: RPCError) {
        guard let id = core.answered(slot) else { return }
        write(id, error, .init(start: nil, count: 0))
    }

    private static func unknownMethod(
        _ envelope: RequestEnvelope, _ data: UnsafeRawBufferPointer
    ) -> RPCError {
        let service = String(decoding: data[envelope.service].prefix(256), as: UTF8.self)
        let method = String(decoding: data[envelope.method].prefix(256), as: UTF8.self)
        return RPCError(
            .unimplemented, "no method \(method) of service \(service)", execution: .notRun)
    }
}
