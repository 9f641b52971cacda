// Calls that this side makes.
extension ConnectionCore {
    /// A call is to be made.
    ///
    /// - Parameters:
    ///   - shape: Which sides stream.
    ///   - isOneWay: Whether no answer is wanted. To a plain peer it is a unary call then, whose
    ///     answer the caller drops.
    ///   - deadline: Nanoseconds; `.max`: none.
    /// - Returns: Whether it is sent, waits or is refused.
    mutating func opened(
        _ shape: CallShape, isOneWay: Bool = false, deadline: Int64 = .max
    ) -> OnOpen {
        if role == .server, peer == nil { return .refuse(.unsupported) }
        guard goneAway == nil, !isClosing, nextID != 0 else { return .refuse(.draining) }
        let mustWait = inFlight >= outgoingMax || waitingCount > 0
        if mustWait, waitingCount >= limits.waitingMax { return .refuse(.full) }
        let slot = outgoing.insert()
        let entry = outgoing.entry(slot)
        if shape == .unary { entry.pointee.flags.insert(.unary) }
        if !shape.clientStreams { entry.pointee.flags.insert(.localClosed) }
        if isOneWay { entry.pointee.flags.insert(.oneWay) }
        if deadline != .max { note(deadline: deadline, of: entry) }
        let key = outgoing.key(slot)
        guard mustWait else { return .send(key) }
        entry.pointee.flags.insert(.waiting)
        if waitingHead == .max {
            waitingHead = slot
        } else {
            outgoing.entry(waitingTail).pointee.next = slot
        }
        waitingTail = slot
        waitingCount += 1
        return .wait(key)
    }

    /// The request of a call is sent now.
    ///
    /// - Returns: Its stream id, and the flags of its frame. A one-way call that the peer can take as
    ///   such is over with it; its slot is free then.
    mutating func begin(_ slot: UInt32, shape: CallShape) -> (id: UInt32, flags: FrameFlags) {
        let id = nextID
        // Beyond the last id it is 0 or 1, and opens no more.
        nextID = id > .max - 2 ? 0 : id + 2
        let entry = outgoing.entry(slot)
        var flags: FrameFlags = []
        if shape != .unary { flags.insert(shape.clientStreams ? .remoteOpen : .remoteClosed) }
        if let peer {
            if shape != .unary {
                entry.pointee.flags.insert(.credited)
                entry.pointee.sendCredit = Int(peer.streamCredit)
                entry.pointee.receiveCredit = Int(limits.settings.streamCredit)
            }
            if entry.pointee.flags.contains(.oneWay) {
                outgoing.remove(slot)
                return (id, [.oneWay])
            }
        } else if shape != .unary {
            lastUncounted = id
        }
        outgoing.assign(id, to: slot)
        return (id, flags)
    }

    /// The waiting call that may be sent now, if any; it does not wait any longer.
    mutating func nextSendable() -> UInt32? {
        guard waitingHead != .max, inFlight < outgoingMax, nextID != 0 else { return nil }
        let slot = waitingHead
        unlink(slot, after: nil)
        return slot
    }

    /// The caller gave a call up. It is over, and its slot free.
    ///
    /// - Returns: Whether its request had been sent; `nil` where the call was over before.
    mutating func gaveUp(_ key: CallKey, code: StatusCode = .cancelled) -> Bool? {
        guard let slot = outgoing.slot(key) else { return nil }
        return giveUp(slot, code: code)
    }

    mutating func giveUp(_ slot: UInt32, code: StatusCode) -> Bool {
        let entry = outgoing.entry(slot)
        if entry.pointee.flags.contains(.waiting) {
            var previous: UInt32?
            var cursor = waitingHead
            while cursor != slot {
                previous = cursor
                cursor = outgoing.entry(cursor).pointee.next
            }
            unlink(slot, after: previous)
        }
        let id = entry.pointee.id
        if id != 0, peer != nil { control.append(.cancel(stream: id, code: code)) }
        outgoing.remove(slot)
        if id != 0 { forgetPieces(of: id) }
        return id != 0
    }

    private mutating func unlink(_ slot: UInt32, after previous: UInt32?) {
        let entry = outgoing.entry(slot)
        let next = entry.pointee.next
        if let previous { outgoing.entry(previous).pointee.next = next } else { waitingHead = next }
        if waitingTail == slot { waitingTail = previous ?? .max }
        entry.pointee.next = .max
        entry.pointee.flags.remove(.waiting)
        waitingCount -= 1
    }

    /// A call that the peer's GOAWAY says is not run, or that waits and will not be sent, as it says so or
    /// all ids are used; it is over. To be asked with the same `cursor`, 0 at first, until there is none.
    mutating func nextNotAccepted(_ cursor: inout UInt32) -> UInt32? {
        guard goneAway != nil || nextID == 0 else { return nil }
        let lastAccepted = goneAway?.lastAccepted ?? .max
        while cursor < outgoing.used {
            let slot = cursor
            cursor += 1
            guard outgoing.isUsed(slot) else { continue }
            let entry = outgoing.entry(slot)
            let isWaiting = entry.pointee.flags.contains(.waiting)
            let wasSent = entry.pointee.id != 0
            guard !wasSent || entry.pointee.id > lastAccepted else { continue }
            if isWaiting {
                _ = giveUp(slot, code: .unavailable)
            } else {
                let id = entry.pointee.id
                outgoing.remove(slot)
                forgetPieces(of: id)
            }
            return slot
        }
        return nil
    }

    /// The connection is lost: a call that was open, which is over now, and whether its request had
    /// been sent. To be asked with the same `cursor`, 0 at first, until there is none.
    mutating func nextLost(_ cursor: inout UInt32) -> (slot: UInt32, wasSent: Bool)? {
        isClosing = true
        (waitingHead, waitingTail, waitingCount) = (.max, .max, 0)
        partials = PartialMessages()
        while cursor < outgoing.used {
            let slot = cursor
            cursor += 1
            guard outgoing.isUsed(slot) else { continue }
            let wasSent = outgoing.entry(slot).pointee.id != 0
            outgoing.remove(slot)
            return (slot, wasSent)
        }
        return nil
    }
}
