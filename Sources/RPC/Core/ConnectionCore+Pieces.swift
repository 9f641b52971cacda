// Messages that arrive in pieces, and compressed ones.
extension ConnectionCore {
    /// What a frame is to the messages that come in pieces.
    enum OnPiece {
        /// It has nothing to do with them: to be given to ``received(_:_:at:)``.
        case alone
        /// It was kept or passed over.
        case event(CoreEvent)
        /// Its message is whole: to be inflated where the header says that it is compressed, and
        /// given to ``receivedWhole(_:_:at:)``.
        case whole(FrameHeader, [UInt8])
    }

    /// A frame arrived that may be a piece, or compressed.
    mutating func receivedPiece(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> OnPiece {
        guard peer != nil, [.request, .response, .data].contains(header.type) else {
            return .alone
        }
        if let index = partials.index(of: header) { return try goOn(index, header, data) }
        guard !header.flags.isDisjoint(with: .unfinished) else { return .alone }
        // What was not negotiated is refused as a whole frame is.
        guard isNegotiated(header) else { return .alone }
        return try begin(header, data)
    }

    /// A frame was longer than this side takes, and was skipped: it is counted all the same.
    mutating func receivedSkipped(_ header: FrameHeader) throws(ProtocolViolation) -> CoreEvent {
        guard peer != nil, [.request, .response, .data].contains(header.type) else {
            return receivedOversized(header)
        }
        if let index = partials.index(of: header) {
            guard case .event(let event) = try goOn(index, header, nil) else {
                preconditionFailure("a skipped frame has become a message")
            }
            return event
        }
        var header = header
        if !isNegotiated(header) { header.flags.subtract(.unfinished) }
        var cost = 0
        if header.type == .data {
            cost = header.flags.contains(.noData) ? 0 : Self.cost(header.dataBytes)
            // Its call ends here, whatever else it says.
            header.flags.subtract(.closing)
            if let event = try beginData(header, &cost) { return event }
        }
        let isNew = header.type != .request || header.stream > lastIncoming
        if isNew, header.flags.contains(.more) { try checkPartials() }
        return isNew ? oversized(header, bytes: header.dataBytes, cost: cost) : .none
    }

    /// Whether messages are taken in such frames.
    private func isNegotiated(_ header: FrameHeader) -> Bool {
        (!header.flags.contains(.more) || limits.settings.partialsMax > 0)
            && (!header.flags.contains(.compressed) || limits.settings.takesZlib)
    }

    private func checkPartials() throws(ProtocolViolation) {
        guard partials.count < Int(limits.settings.partialsMax) else {
            throw ProtocolViolation(.tooManyPartialMessages)
        }
    }

    /// As ``received(_:_:at:)``, for a message whose pieces were counted.
    mutating func receivedWhole(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer, at now: Int64
    ) throws(ProtocolViolation) -> CoreEvent {
        isWhole = true
        defer { isWhole = false }
        return try received(header, data, at: now)
    }

    /// A compressed message cannot be inflated.
    mutating func receivedMalformed(_ header: FrameHeader, _ message: [UInt8]) -> CoreEvent {
        let original = message.withUnsafeBytes { MessageLength.original($0) } ?? 0
        return malformed(header, cost: Self.cost(original))
    }

    /// - Parameters:
    ///   - header: The message's.
    ///   - cost: What it took of the credit where its stream is counted.
    /// - Returns: What becomes of its call.
    private mutating func malformed(_ header: FrameHeader, cost: Int) -> CoreEvent {
        switch header.type {
        case .request:
            refuse(header, .invalidArgument, "the message cannot be inflated")
            return .none
        case .response:
            guard let slot = outgoing.slot(id: header.stream) else { return .none }
            outgoing.remove(slot)
            forgetPieces(of: header.stream)
            return .broken(slot: slot)
        default:
            let (side, slot) = place(of: header)
            guard let slot else { return .none }
            // Nobody reads it.
            if table(side, slot).pointee.flags.contains(.credited) { consumed(cost) }
            return misplacedData(header, side, slot)
        }
    }

    /// A call is over: what has begun to arrive of its messages is let go of.
    mutating func forgetPieces(of stream: UInt32) {
        guard !partials.isEmpty else { return }
        let cost = partials.removeAll(of: stream)
        if cost > 0 { consumed(cost) }
    }

    /// The peer gave a call up whose request or data were arriving.
    mutating func cancelledPieces(of stream: UInt32) {
        guard !partials.isEmpty else { return }
        for index in 0..<partials.count where partials[index].header.stream == stream {
            if partials[index].header.type == .data {
                // The call's slot keeps its place, until its handler is done.
                drop(index)
            } else {
                partials.remove(index)
            }
            return
        }
    }

    // MARK: - The first piece

    private mutating func begin(
        _ header: FrameHeader, _ data: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> OnPiece {
        var original = data.count
        if header.flags.contains(.compressed) {
            guard let bytes = MessageLength.original(data) else {
                return .event(try malformedFirst(header, data.count))
            }
            original = bytes
        }
        var cost = 0
        switch header.type {
        case .request:
            guard header.stream != 0, !isOwn(header.stream), header.stream > lastIncoming else {
                return .alone
            }
        case .response:
            guard outgoing.slot(id: header.stream) != nil else { return .event(.none) }
        default:
            cost = Self.cost(original)
            if let event = try beginData(header, &cost) { return .event(event) }
        }
        if header.flags.contains(.more) { try checkPartials() }
        guard original <= Int(limits.settings.messageBytesMax) else {
            return .event(oversized(header, bytes: original, cost: cost))
        }
        if header.type == .request { lastIncoming = header.stream }
        guard header.flags.contains(.more) else { return .whole(header, Array(data)) }
        var partial = PartialMessages.Partial(header: header)
        partial.bytes += data
        partial.cost = cost
        partials.add(partial)
        return .event(.none)
    }

    /// A compressed message is too short to say its length.
    private mutating func malformedFirst(
        _ header: FrameHeader, _ bytes: Int
    ) throws(ProtocolViolation) -> CoreEvent {
        var cost = Self.cost(bytes)
        if header.type == .data, let event = try beginData(header, &cost) { return event }
        if header.type == .request {
            guard header.stream > lastIncoming, !isOwn(header.stream) else { return .none }
            lastIncoming = header.stream
        }
        return malformed(header, cost: cost)
    }

    /// Counts the first piece of a stream's message, or says why it is none; `cost` becomes what it
    /// took.
    private mutating func beginData(
        _ header: FrameHeader, _ cost: inout Int
    ) throws(ProtocolViolation) -> CoreEvent? {
        let (side, slot) = place(of: header)
        guard let slot else { return lateData(header, side, cost) }
        let entry = table(side, slot)
        guard entry.pointee.flags.isDisjoint(with: .takesNoData),
            header.flags.subtracting(.unfinished).isEmpty
        else { return misplacedData(header, side, slot) }
        if entry.pointee.flags.contains(.credited) {
            guard entry.pointee.receiveCredit > 0, receiveCredit > 0 else {
                throw ProtocolViolation(.creditExceeded)
            }
            entry.pointee.receiveCredit -= cost
            receiveCredit -= cost
        } else {
            cost = 0
        }
        return nil
    }

    // MARK: - Further pieces

    /// - Parameters:
    ///   - index: The message's place.
    ///   - header: The piece's.
    ///   - data: Its data; `nil` where there were more than a frame may have, so that the message is too
    ///     long.
    /// - Returns: What it makes of the message.
    /// - Throws: ``ProtocolViolation``.
    private mutating func goOn(
        _ index: Int, _ header: FrameHeader, _ data: UnsafeRawBufferPointer?
    ) throws(ProtocolViolation) -> OnPiece {
        let first = partials[index].header
        guard header.flags.subtracting(.more).isEmpty else {
            throw ProtocolViolation(.unexpectedFrame(type: header.type.rawValue))
        }
        let isLast = !header.flags.contains(.more)
        let isCounted =
            header.type == .data && !first.flags.contains(.compressed)
            && count(header.dataBytes, index)
        if partials[index].isDropped {
            if isCounted { consumed(header.dataBytes) }
            if isLast { partials.remove(index) }
            return .event(.none)
        }
        let bytes = partials[index].bytes.count + header.dataBytes
        guard let data, bytes <= Int(limits.settings.messageBytesMax) else {
            let cost = partials.remove(index).cost
            let oversized = FrameHeader(
                dataBytes: bytes, stream: header.stream, type: header.type,
                flags: isLast ? first.flags.subtracting(.more) : first.flags)
            return .event(self.oversized(oversized, bytes: bytes, cost: cost))
        }
        partials.append(data, to: index)
        guard isLast else { return .event(.none) }
        let whole = partials.remove(index)
        return .whole(
            FrameHeader(
                dataBytes: whole.bytes.count, stream: header.stream, type: header.type,
                flags: first.flags.subtracting(.more)),
            whole.bytes)
    }

    /// A further piece takes credit, where its stream is counted.
    private mutating func count(_ bytes: Int, _ index: Int) -> Bool {
        let (side, slot) = place(of: partials[index].header)
        guard let slot else { return false }
        let entry = table(side, slot)
        guard entry.pointee.flags.contains(.credited) else { return false }
        entry.pointee.receiveCredit -= bytes
        receiveCredit -= bytes
        partials.addCost(bytes, to: index)
        return true
    }

    /// A message is longer than this side takes: its call is refused or ends, and further pieces are
    /// passed over.
    private mutating func oversized(_ header: FrameHeader, bytes: Int, cost: Int) -> CoreEvent {
        let isOwn = isOwn(header.stream)
        if cost > 0 { consumed(cost) }
        if header.flags.contains(.more) {
            if header.type == .request || !isOwn {
                var partial = PartialMessages.Partial(header: header)
                partial.isDropped = true
                partials.add(partial)
            } else if header.type == .data {
                partials.addLate(header)
            }
        }
        var whole = header
        whole.dataBytes = bytes
        if header.type == .request {
            lastIncoming = max(lastIncoming, header.stream)
            refuse(tooLong: whole)
            return .none
        }
        return receivedOversized(whole)
    }

    private mutating func drop(_ index: Int) {
        let cost = partials[index].cost
        let wasDropped = partials[index].isDropped
        partials.drop(index)
        if !wasDropped, cost > 0 { consumed(cost) }
    }

    /// Where the call of a frame is, if it lasts.
    private func place(of header: FrameHeader) -> (side: CallSide, slot: UInt32?) {
        isOwn(header.stream)
            ? (.outgoing, outgoing.slot(id: header.stream))
            : (.incoming, incoming.slot(id: header.stream))
    }
}
