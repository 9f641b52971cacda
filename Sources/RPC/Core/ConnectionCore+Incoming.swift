// Frames that arrive, and the calls the peer makes.
extension ConnectionCore {
    /// A frame arrived whole.
    ///
    /// - Parameters:
    ///   - header: The frame's header.
    ///   - data: Its data; the ranges of the event count from its start.
    ///   - now: Nanoseconds; for the deadline of a call.
    /// - Returns: What it means.
    /// - Throws: ``ProtocolViolation``, after which the connection is to be closed.
    mutating func received(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer, at now: Int64
    ) throws(ProtocolViolation) -> CoreEvent {
        switch header.type {
        case .request: return receivedRequest(header, data, now)
        case .response: return receivedResponse(header, data)
        case .data: return try receivedData(header, data)
        default: return try receivedExtension(header, data)
        }
    }

    /// A message is longer than this side takes: its call is refused, or ends.
    mutating func receivedOversized(_ header: FrameHeader) -> CoreEvent {
        if header.type == .response || isOwn(header.stream) {
            guard let slot = outgoing.slot(id: header.stream) else { return .none }
            _ = giveUp(slot, code: .resourceExhausted)
            return .broken(slot: slot)
        }
        if header.type == .request {
            guard header.stream > lastIncoming else { return .none }
            lastIncoming = header.stream
            if role == .server, peer == nil { lastUncounted = header.stream }
        }
        if let slot = incoming.slot(id: header.stream) {
            if answeredEarly(slot) != nil { refuse(tooLong: header) }
            return .cancelled(slot: slot)
        }
        refuse(tooLong: header)
        return .none
    }

    mutating func refuse(tooLong header: FrameHeader) {
        let text = "message of \(header.dataBytes) bytes exceeds \(limits.settings.messageBytesMax)"
        refuse(header, .resourceExhausted, text)
    }

    /// Whether this side starts streams of such ids.
    func isOwn(_ id: UInt32) -> Bool { id & 1 == (role == .client ? 1 : 0) && id != 0 }

    func refuseText(_ code: StatusCode, _ text: String) -> RPCError {
        RPCError(code, text, execution: .notRun)
    }

    mutating func refuse(_ id: UInt32, _ code: StatusCode, _ text: String) {
        control.append(.refusal(stream: id, refuseText(code, text)))
    }

    /// Refuses what a frame asks for, unless it wants no answer.
    mutating func refuse(_ header: FrameHeader, _ code: StatusCode, _ text: String) {
        guard header.type != .request || !header.flags.contains(.oneWay) else { return }
        refuse(header.stream, code, text)
    }

    // MARK: - Requests

    @inline(__always)
    private mutating func receivedRequest(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer, _ now: Int64
    ) -> CoreEvent {
        let id = header.stream
        // Go answers so too; a client that is not to be called at all says nothing.
        guard id != 0, !isOwn(id) else {
            if role == .server {
                refuse(header, .invalidArgument, "stream id \(id) is not a client's")
            }
            return .none
        }
        if role == .client, peer == nil { return .none }
        guard id > lastIncoming || isWhole else {
            refuse(header, .invalidArgument, "stream id \(id) was used before")
            return .none
        }
        lastIncoming = max(lastIncoming, id)
        let isStreaming = !header.flags.isDisjoint(with: .streaming)
        // Its data are not counted, be it refused or not, as the client may send some meanwhile.
        if isStreaming, peer == nil { lastUncounted = lastIncoming }
        let envelope: RequestEnvelope
        do throws(EnvelopeError) {
            envelope = try RequestEnvelope(data)
        } catch {
            refuse(header, .invalidArgument, "malformed request: \(error)")
            return .none
        }
        let announces =
            envelope.metadataCount > 0 && role == .server && limits.negotiates
            // Once they are negotiated it only matters to streams.
            && (peer == nil || isStreaming)
            && Announcement.isIn(envelope, of: data)
        if announces, isStreaming { lastUncounted = max(lastUncounted, id) }
        if announces, extensions == .offered {
            extensions = .answered
            control.append(.settings(limits.settings))
        }
        if let refusal = refusal(of: header, envelope) {
            if refusal.code == .deadlineExceeded { expiredOnArrival += 1 }
            if !header.flags.contains(.oneWay) { control.append(.refusal(stream: id, refusal)) }
            return .none
        }
        let slot = incoming.insert()
        incoming.assign(id, to: slot)
        let entry = incoming.entry(slot)
        let timeout = envelope.timeoutNanoseconds
        if timeout > 0 {
            let (deadline, overflow) = now.addingReportingOverflow(timeout)
            if !overflow { note(deadline: deadline, of: entry) }
        }
        if header.flags.contains(.oneWay) { entry.pointee.flags.insert(.oneWay) }
        guard isStreaming else {
            entry.pointee.flags.insert(.servedUnary)
            return .call(slot: slot, envelope, .unary)
        }
        if let peer, !announces {
            entry.pointee.flags.insert(.credited)
            entry.pointee.sendCredit = Int(peer.streamCredit)
            entry.pointee.receiveCredit = Int(limits.settings.streamCredit)
        }
        if header.flags.contains(.remoteClosed) {
            entry.pointee.flags.insert(.remoteClosed)
            return .call(slot: slot, envelope, .streamingOut)
        }
        return .call(slot: slot, envelope, .streamingIn)
    }

    /// Why a request is not run, or `nil`.
    @inline(__always)
    private func refusal(of header: FrameHeader, _ envelope: RequestEnvelope) -> RPCError? {
        if header.stream > lastAccepted {
            return refuseText(.unavailable, "the connection takes no more calls")
        }
        if !header.flags.isDisjoint(with: .extensions) {
            if !header.flags.isDisjoint(with: .unfinished) || peer == nil {
                return refuseText(
                    .unimplemented, "flags \(header.flags.rawValue) were not negotiated")
            }
        }
        if envelope.timeoutNanoseconds < 0 {
            return refuseText(.deadlineExceeded, "the deadline had passed on arrival")
        }
        guard incoming.count < Int(limits.settings.callsMax) else {
            return refuseText(
                .resourceExhausted, "more than \(limits.settings.callsMax) calls in flight")
        }
        return nil
    }

    /// A handler is done.
    ///
    /// - Returns: The stream to answer on; `nil` where nobody waits for the answer. The call is over,
    ///   and its slot free.
    mutating func answered(_ slot: UInt32) -> UInt32? {
        let entry = incoming.entry(slot)
        let id = entry.pointee.id
        let isWanted = entry.pointee.flags.isDisjoint(with: .unanswered)
        incoming.remove(slot)
        forgetPieces(of: id)
        return isWanted ? id : nil
    }

    /// A handler did not come to run or failed, and its caller is answered although it goes on.
    ///
    /// - Returns: The stream to answer on, once; `nil` where nobody waits for the answer.
    mutating func answeredEarly(_ slot: UInt32) -> UInt32? {
        let entry = incoming.entry(slot)
        defer { entry.pointee.flags.insert(.cancelled) }
        return entry.pointee.flags.isDisjoint(with: .unanswered) ? entry.pointee.id : nil
    }

    // MARK: - Responses

    @inline(__always)
    private mutating func receivedResponse(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer
    ) -> CoreEvent {
        guard let slot = outgoing.slot(id: header.stream) else { return .none }
        if extensions == .offered, role == .client { extensions = .plain }
        outgoing.remove(slot)
        forgetPieces(of: header.stream)
        guard header.flags.isDisjoint(with: .extensions) else { return .broken(slot: slot) }
        do throws(EnvelopeError) {
            return .reply(slot: slot, try ResponseEnvelope(data))
        } catch {
            return .broken(slot: slot)
        }
    }
}
