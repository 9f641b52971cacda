// Frames that plain ttrpc does not know.
extension ConnectionCore {
    mutating func receivedExtension(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> CoreEvent {
        if header.type == .settings { return try receivedSettings(header, data) }
        guard peer != nil else { return receivedUnknown(header) }
        switch header.type {
        case .ping:
            guard data.count == 8 else { throw malformed(header) }
            control.append(.pong(UInt64(bigEndian: data.loadUnaligned(as: UInt64.self))))
            return .none
        case .pong:
            guard data.count == 8 else { throw malformed(header) }
            // That it was heard is all that counts.
            return .none
        case .cancel:
            guard data.count == 4 else { throw malformed(header) }
            if !isOwn(header.stream) { cancelledPieces(of: header.stream) }
            guard !isOwn(header.stream), let slot = incoming.slot(id: header.stream),
                !incoming.entry(slot).pointee.flags.contains(.cancelled)
            else { return .none }
            incoming.entry(slot).pointee.flags.insert(.cancelled)
            return .cancelled(slot: slot)
        case .window:
            guard data.count == 4 else { throw malformed(header) }
            return try receivedWindow(
                header.stream, UInt32(bigEndian: data.loadUnaligned(as: UInt32.self)))
        case .goAway:
            guard let goAway = GoAway(data) else { throw malformed(header) }
            // A second one may only lower the last id.
            let last = min(goAway.lastAccepted, goneAway?.lastAccepted ?? .max)
            goneAway = GoAway(lastAccepted: last, code: goAway.code, text: goAway.text)
            return .goAway(goneAway ?? goAway)
        default: return receivedUnknown(header)
        }
    }

    private func malformed(_ header: FrameHeader) -> ProtocolViolation {
        ProtocolViolation(.malformedFrame(type: header.type.rawValue))
    }

    /// A type of frame that nobody knows: ignored on a client's stream, refused on others as Go
    /// 1.2 does; a call of ours that gets one is broken.
    private mutating func receivedUnknown(_ header: FrameHeader) -> CoreEvent {
        if isOwn(header.stream), let slot = outgoing.slot(id: header.stream) {
            _ = giveUp(slot, code: .internal)
            return .broken(slot: slot)
        }
        if role == .server, header.stream & 1 == 0, peer == nil {
            refuse(
                header.stream, .invalidArgument, "stream id \(header.stream) is not a client's")
        }
        return .none
    }

    private mutating func receivedSettings(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> CoreEvent {
        let isExpected = extensions == (role == .client ? .offered : .answered)
        guard isExpected, header.stream == 0 else {
            if peer != nil { throw ProtocolViolation(.unexpectedFrame(type: header.type.rawValue)) }
            return receivedUnknown(header)
        }
        guard let settings = PeerSettings(data) else { throw malformed(header) }
        extensions = .negotiated(settings)
        sendCredit = Int(settings.connectionCredit)
        outgoingMax = max(1, min(limits.outgoingMax, Int(settings.callsMax)))
        if role == .client { control.append(.settings(limits.settings)) }
        if isDraining { oweGoAway() }
        return .negotiated
    }

    private mutating func receivedWindow(
        _ id: UInt32, _ credit: UInt32
    ) throws(ProtocolViolation) -> CoreEvent {
        guard id != 0 else {
            sendCredit += Int(credit)
            guard sendCredit <= Int(Int32.max) else { throw ProtocolViolation(.creditOverflow) }
            return .credit
        }
        let entry: UnsafeMutablePointer<CallEntry>
        if let slot = outgoing.slot(id: id), isOwn(id) {
            entry = outgoing.entry(slot)
        } else if let slot = incoming.slot(id: id), !isOwn(id) {
            entry = incoming.entry(slot)
        } else {
            // The stream ended meanwhile.
            return .none
        }
        entry.pointee.sendCredit += Int(credit)
        guard entry.pointee.sendCredit <= Int(Int32.max) else {
            throw ProtocolViolation(.creditOverflow)
        }
        return .credit
    }
}
