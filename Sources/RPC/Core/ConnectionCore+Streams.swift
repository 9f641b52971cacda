// Messages of streams, and their credit.
extension ConnectionCore {
    /// What a data frame takes of the credit: its bytes and its header, so that empty messages are
    /// bounded too.
    static func cost(_ messageBytes: Int) -> Int { messageBytes + FrameHeader.bytes }

    func table(_ side: CallSide, _ slot: UInt32) -> UnsafeMutablePointer<CallEntry> {
        side == .outgoing ? outgoing.entry(slot) : incoming.entry(slot)
    }

    mutating func receivedData(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> CoreEvent {
        let side: CallSide = isOwn(header.stream) ? .outgoing : .incoming
        let hasMessage = !header.flags.contains(.noData)
        let found =
            side == .outgoing
            ? outgoing.slot(id: header.stream) : incoming.slot(id: header.stream)
        guard let slot = found else {
            return lateData(header, side, hasMessage ? Self.cost(data.count) : 0)
        }
        let entry = table(side, slot)
        guard entry.pointee.flags.isDisjoint(with: .takesNoData),
            header.flags.isDisjoint(with: .extensions)
        else { return misplacedData(header, side, slot) }
        // What only ends a stream costs nothing, and may come without credit.
        if entry.pointee.flags.contains(.credited), hasMessage, !isWhole {
            // One message may pass what was left; the next may not come before there is more.
            guard entry.pointee.receiveCredit > 0, receiveCredit > 0 else {
                throw ProtocolViolation(.creditExceeded)
            }
            entry.pointee.receiveCredit -= Self.cost(data.count)
            receiveCredit -= Self.cost(data.count)
        }
        let isEnd = header.flags.contains(.remoteClosed)
        if isEnd { entry.pointee.flags.insert(.remoteClosed) }
        let isOver = isEnd && side == .outgoing && entry.pointee.flags.contains(.localClosed)
        if isOver { outgoing.remove(slot) }
        return .data(side, slot: slot, hasMessage: hasMessage, isEnd: isEnd, isOver: isOver)
    }

    /// Data for a call that is over: a plain client is told so as Go does, a peer of ours may have
    /// sent them before it knew.
    mutating func lateData(
        _ header: FrameHeader, _ side: CallSide, _ cost: Int
    ) -> CoreEvent {
        if peer != nil {
            // Nobody consumes them: the connection's credit is given back at once.
            guard cost > 0, isCounted(header.stream) else { return .none }
            let cost = partials.lateCost(header, cost)
            receiveCredit -= cost
            consumed(cost)
            return .none
        }
        if side == .incoming, role == .server {
            refuse(header.stream, .invalidArgument, "stream \(header.stream) is no longer active")
        }
        return .none
    }

    /// Whether the data of a stream, which may be over, take credit.
    func isCounted(_ stream: UInt32) -> Bool { stream & 1 == 0 || stream > lastUncounted }

    mutating func misplacedData(
        _ header: FrameHeader, _ side: CallSide, _ slot: UInt32
    ) -> CoreEvent {
        switch side {
        case .outgoing:
            _ = giveUp(slot, code: .internal)
            return .broken(slot: slot)
        case .incoming:
            guard let id = answeredEarly(slot) else { return .cancelled(slot: slot) }
            refuse(id, .invalidArgument, "data after the end of stream \(id)")
            return .cancelled(slot: slot)
        }
    }

    /// A message is to be sent on a stream.
    mutating func mayWrite(_ side: CallSide, _ key: CallKey, messageBytes: Int) -> OnSend {
        let found = side == .outgoing ? outgoing.slot(key) : incoming.slot(key)
        guard let slot = found else { return .closed }
        let entry = table(side, slot)
        guard entry.pointee.flags.isDisjoint(with: .sendsNoData) else {
            return .closed
        }
        // A call that waits to be sent has no stream yet.
        guard entry.pointee.id != 0 else { return .wait }
        if entry.pointee.flags.contains(.credited) {
            guard entry.pointee.sendCredit > 0, sendCredit > 0 else { return .wait }
            entry.pointee.sendCredit -= Self.cost(messageBytes)
            sendCredit -= Self.cost(messageBytes)
        }
        return .send(id: entry.pointee.id)
    }

    /// A further piece of a counted stream's message is sent, which ``mayWrite(_:_:messageBytes:)`` let
    /// begin.
    mutating func wrote(_ side: CallSide, _ key: CallKey, pieceBytes: Int) {
        let found = side == .outgoing ? outgoing.slot(key) : incoming.slot(key)
        guard let slot = found else {
            // The call ended meanwhile. The peer gives the connection's credit back all the same.
            sendCredit -= pieceBytes
            return
        }
        let entry = table(side, slot)
        guard entry.pointee.flags.contains(.credited) else { return }
        entry.pointee.sendCredit -= pieceBytes
        sendCredit -= pieceBytes
    }

    /// This side sends no more on a stream.
    ///
    /// - Returns: The stream to say so on with an empty closing frame (Go refuses one with bytes);
    ///   `nil` where it was said or the call is over. With the called side's end the call is over,
    ///   with the caller's where the called side's end came before.
    mutating func closedWrite(_ side: CallSide, _ key: CallKey) -> UInt32? {
        let found = side == .outgoing ? outgoing.slot(key) : incoming.slot(key)
        guard let slot = found else { return nil }
        let entry = table(side, slot)
        guard entry.pointee.flags.isDisjoint(with: .isEnded) else { return nil }
        let id = entry.pointee.id
        entry.pointee.flags.insert(.localClosed)
        if side == .outgoing, entry.pointee.flags.contains(.remoteClosed) { outgoing.remove(slot) }
        return id == 0 ? nil : id
    }

    /// Whether the caller of a call that is served has not said that it sends no more, and knows that
    /// a Response after the end of the replies tells it to stop. A plain one is told when it sends.
    func maySendOn(_ slot: UInt32) -> Bool {
        switch extensions {
        case .offered, .plain: false
        case .answered, .negotiated:
            !incoming.entry(slot).pointee.flags.contains(.remoteClosed)
        }
    }

    /// The reader of a stream has taken a message.
    mutating func consumed(_ side: CallSide, _ key: CallKey, messageBytes: Int) {
        consumed(side, key, cost: Self.cost(messageBytes))
    }

    /// The reader of a stream has taken messages of this cost.
    mutating func consumed(_ side: CallSide, _ key: CallKey, cost: Int) {
        guard peer != nil else { return }
        let found = side == .outgoing ? outgoing.slot(key) : incoming.slot(key)
        if let slot = found {
            let entry = table(side, slot)
            // A stream that began before the settings came is not counted at all.
            guard entry.pointee.flags.contains(.credited) else { return }
            entry.pointee.consumed += cost
            if entry.pointee.consumed >= Int(limits.settings.streamCredit) / 2,
                !entry.pointee.flags.contains(.remoteClosed)
            {
                let credit = entry.pointee.consumed
                entry.pointee.receiveCredit += credit
                entry.pointee.consumed = 0
                control.append(.window(stream: entry.pointee.id, credit: UInt32(clamping: credit)))
            }
        }
        consumed(cost)
    }

    /// Gives credit of the connection back once half of it was used. A compressed message costs what
    /// it says to be long, so one that lies may cost more than a frame can give back.
    mutating func consumed(_ cost: Int) {
        consumed += cost
        guard consumed >= Int(limits.settings.connectionCredit) / 2 else { return }
        receiveCredit += consumed
        control.append(.window(stream: 0, credit: UInt32(clamping: consumed)))
        consumed = 0
    }
}
