/// What ``ServerProtocol`` and ``ClientProtocol`` share: one end of a connection after its upgrade
/// (RFC 6455 §5–§7).
///
/// The role is fixed when it is made, and asked once for each event. Two bytes: what all connections
/// share and what most do without is passed to every call.
@usableFromInline
package struct ProtocolCore: Sendable {
    package typealias Event = ProtocolEvent

    /// Which end this is.
    package let role: Role
    @usableFromInline
    var closeHandshake = CloseHandshake()

    package init(role: Role) {
        self.role = role
    }

    /// As ``ServerProtocol/next(in:at:)``.
    ///
    /// - Parameters:
    ///   - input: As there.
    ///   - cursor: As there.
    ///   - carried: What the calls before left; the same value goes into each.
    ///   - configuration: The same in every call.
    /// - Returns: As there.
    /// - Throws: As there.
    package mutating func next(
        in input: inout MutableRawSpan,
        at cursor: inout Int,
        carrying carried: inout CarriedInput,
        _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Event? {
        // unsafe: used within this call only, which has `input` to itself. The closure is left at
        // once because what follows is not inlined into one.
        let buffer = input.withUnsafeMutableBytes { $0 }
        return try next(in: buffer, at: &cursor, &carried, configuration)
    }

    /// The message at the cursor, if it is one unfragmented frame that lies whole in `input`: what
    /// ``next(in:at:carrying:_:)`` does first, for a driver that carries nothing and has agreed on no
    /// compression.
    ///
    /// - Parameters:
    ///   - input: Bytes received; the payload is unmasked in place.
    ///   - cursor: Offset of the first byte not taken; advanced past the message.
    ///   - bytesMax: ``ProtocolConfiguration/inPlaceBytesMax``.
    /// - Returns: The message and where its payload lies; `nil`, and nothing is taken, where anything else is at the
    ///   cursor, valid or not.
    /// - Throws: ``ProtocolViolation`` for text that is not UTF-8.
    package mutating func nextWhole(
        in input: inout MutableRawSpan, at cursor: inout Int, bytesMax: Int
    ) throws(ProtocolViolation) -> (kind: MessageKind, payload: Range<Int>)? {
        guard closeHandshake.mayReceive else { return nil }
        // unsafe: used within this call only, which has `input` to itself.
        let buffer = input.withUnsafeMutableBytes { $0 }
        precondition(cursor >= 0 && cursor <= buffer.count, "cursor \(cursor) is outside the input")
        return try nextWhole(in: buffer, at: &cursor, bytesMax)
    }

    /// A limit that the driver counts was passed: what follows is discarded.
    package mutating func violated() {
        if closeHandshake.mayReceive { closeHandshake.violated() }
    }

    @inlinable
    @inline(__always)
    package var maySend: Bool { closeHandshake.maySend }

    package var isClosed: Bool { closeHandshake.isClosed }

    package var closeInitiator: CloseHandshake.Initiator? { closeHandshake.initiator }

    /// As ``ServerProtocol/closeRequested()``.
    package mutating func closeRequested() -> CloseHandshake.OnCloseRequested {
        closeHandshake.closeRequested()
    }

    @inline(__always)
    private mutating func next(
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int,
        _ carried: inout CarriedInput,
        _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Event? {
        precondition(cursor >= 0 && cursor <= input.count, "cursor \(cursor) is outside the input")
        if carried.isEmpty, closeHandshake.mayReceive {
            let message = try nextWhole(in: input, at: &cursor, configuration.inPlaceBytesMax)
            if let message { return .message(message.kind, .input(message.payload)) }
        }
        return try nextStepwise(in: input, at: &cursor, &carried, configuration)
    }

    @inline(__always)
    private mutating func nextWhole(
        in input: UnsafeMutableRawBufferPointer, at cursor: inout Int, _ bytesMax: Int
    ) throws(ProtocolViolation) -> (kind: MessageKind, payload: Range<Int>)? {
        role == .server
            ? try nextInPlace(in: input, at: &cursor, bytesMax)
            : try nextUnmaskedInPlace(in: input, at: &cursor, bytesMax)
    }

    /// The common case of a server in one pass: an unfragmented data frame up to 64 KiB, whole in the
    /// input.
    ///
    /// - Returns: The message, or `nil` if the frame at the cursor is anything else, valid or not.
    @inline(__always)
    private mutating func nextInPlace(
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int,
        _ bytesMax: Int
    ) throws(ProtocolViolation) -> (kind: MessageKind, payload: Range<Int>)? {
        let available = input.count &- cursor
        guard available >= 8, let base = input.baseAddress else { return nil }
        // unsafe: eight bytes are available; the header of a masked frame below takes no more.
        let start = UnsafeRawPointer(base) + cursor
        let head = UInt64(littleEndian: start.loadUnaligned(as: UInt64.self))
        // FIN with text (0x81) or binary (0x82).
        guard let kind = MessageKind(rawValue: UInt8(truncatingIfNeeded: head) ^ 0x80) else {
            return nil
        }
        let second = Int(truncatingIfNeeded: head &>> 8) & 0xFF
        let count: Int
        let headerBytes: Int
        let key: UInt32
        if second &- 0x80 <= 125, second >= 0x80 {
            count = second &- 0x80
            headerBytes = 6
            key = UInt32(truncatingIfNeeded: head &>> 16)
        } else if second == 0xFE {
            count = Int(UInt16(truncatingIfNeeded: head &>> 16).byteSwapped)
            headerBytes = 8
            key = UInt32(truncatingIfNeeded: head &>> 32)
            guard count >= 126 else { return nil }
        } else {
            return nil
        }
        guard available &- headerBytes >= count, count <= bytesMax else {
            return nil
        }
        let lower = cursor &+ headerBytes
        // unsafe: lower + count <= input.count, checked just above.
        let payload = base + lower
        let seen = Masking.transform(
            from: payload, to: payload, count: count, key: MaskingKey(word: key.littleEndian))
        cursor = lower &+ count
        if seen & 0x8080_8080_8080_8080 != 0, kind == .text {
            try checkText(payload, count: count)
        }
        return (kind, Range(uncheckedBounds: (lower, lower &+ count)))
    }

    /// The common case of a client: an unfragmented data frame up to 64 KiB, whole in the input.
    ///
    /// - Returns: As ``nextInPlace(in:at:_:)``.
    @inline(__always)
    private mutating func nextUnmaskedInPlace(
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int,
        _ bytesMax: Int
    ) throws(ProtocolViolation) -> (kind: MessageKind, payload: Range<Int>)? {
        let available = input.count &- cursor
        guard available >= 4, let base = input.baseAddress else { return nil }
        // unsafe: four bytes are available; the header of an unmasked frame below takes no more.
        let start = UnsafeRawPointer(base) + cursor
        let head = UInt32(littleEndian: start.loadUnaligned(as: UInt32.self))
        // FIN with text (0x81) or binary (0x82).
        guard let kind = MessageKind(rawValue: UInt8(truncatingIfNeeded: head) ^ 0x80) else {
            return nil
        }
        var count = Int(truncatingIfNeeded: head &>> 8) & 0xFF
        var headerBytes = 2
        if count == 126 {
            count = Int(UInt16(truncatingIfNeeded: head &>> 16).byteSwapped)
            headerBytes = 4
            guard count >= 126 else { return nil }
        } else if count > 126 {
            return nil
        }
        guard available &- headerBytes >= count, count <= bytesMax else {
            return nil
        }
        let lower = cursor &+ headerBytes
        cursor = lower &+ count
        // unsafe: lower + count <= input.count, checked just above.
        if kind == .text { try checkText(base + lower, count: count) }
        return (kind, Range(uncheckedBounds: (lower, lower &+ count)))
    }
}

// MARK: - What the fast path leaves

extension ProtocolCore {
    /// Any frame in any state, piece by piece.
    @inline(never)
    private mutating func nextStepwise(
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int,
        _ carried: inout CarriedInput,
        _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Event? {
        guard closeHandshake.mayReceive else {
            carried.discard()
            cursor = input.count
            return nil
        }
        carried.release()
        var decoder = carried.assembler.cutDecoder ?? FrameDecoder(role: role)
        do throws(ProtocolViolation) {
            let event = try event(in: input, at: &cursor, &decoder, &carried, configuration)
            if event == nil { carried.controlFrames = 0 }
            carried.assembler.keep(decoder)
            return event
        } catch {
            closeHandshake.violated()
            carried.discard()
            cursor = input.count
            throw error
        }
    }

    /// The next event, or `nil` at the end of the input.
    private mutating func event(
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int,
        _ decoder: inout FrameDecoder,
        _ carried: inout CarriedInput,
        _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Event? {
        if let deflate = carried.deflate, deflate.isFinishing {
            let event = try inflated(by: deflate, &carried, configuration)
            if event != nil || deflate.isFinishing { return event }
        }
        while true {
            if !decoder.isInsideFrame {
                let header = try decoder.nextHeader(
                    in: UnsafeRawBufferPointer(input),
                    at: &cursor,
                    payloadBytesMax: configuration.limits.framePayloadBytesMax,
                    mayBeCompressed: carried.deflate != nil
                )
                guard let header else {
                    if !decoder.isBetweenFrames, !decoder.isInsideControlFrame, !input.isEmpty {
                        carried.isAdvanced = true
                    }
                    return nil
                }
                let isWhole = try carried.began(header, configuration)
                if isWhole, input.count - cursor >= header.payloadBytes {
                    // What is incomplete behind it begins later.
                    if !carried.assembler.isCollecting { carried.isAdvanced = true }
                    return try whole(
                        header, in: input, at: &cursor, &decoder, &carried, configuration)
                }
                if let kind = MessageKind(rawValue: header.opcode.rawValue) {
                    carried.assembler.messageBegan(kind, header)
                }
            }
            if carried.assembler.isCompressed, let deflate = carried.deflate,
                !decoder.isInsideControlFrame
            {
                let state = InflatingState(
                    input: input, deflate: deflate, configuration: configuration)
                switch try inflated(state, at: &cursor, &decoder, &carried) {
                case .event(let event): return event
                case .more: continue
                case .needsInput: return nil
                }
            }
            guard let piece = decoder.nextPiece(inputBytes: input.count, at: &cursor) else {
                return nil
            }
            let event = try received(
                piece, remaining: decoder.remainingBytes, in: input, &carried, configuration)
            if let event { return event }
        }
    }

    /// Takes a frame whose payload can stay in the input.
    private mutating func whole(
        _ header: FrameHeader,
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int,
        _ decoder: inout FrameDecoder,
        _ carried: inout CarriedInput,
        _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Event? {
        guard let piece = decoder.nextPiece(inputBytes: input.count, at: &cursor),
            let base = input.baseAddress
        else {
            preconditionFailure("payload of \(header.payloadBytes) bytes is not in the input")
        }
        // unsafe: the decoder's ranges lie within the input.
        let payload = base + piece.range.lowerBound
        let count = piece.range.count
        // Without a mask nothing was looked at yet, and any byte may be beyond ASCII.
        let seen =
            role == .server
            ? Masking.transform(from: payload, to: payload, count: count, key: piece.key)
            : UInt64.max
        if let kind = MessageKind(rawValue: header.opcode.rawValue) {
            if header.isCompressed {
                return try inflatedWhole(
                    header, piece, at: payload, &cursor, &decoder, &carried, configuration)
            }
            if kind == .text, seen & 0x8080_8080_8080_8080 != 0 {
                var utf8 = UTF8Validator()
                guard utf8.validate(payload, count: count), utf8.isAtBoundary else {
                    throw ProtocolViolation(.invalidText)
                }
            }
            return .message(kind, .input(piece.range))
        }
        let bytes = UnsafeRawBufferPointer(start: payload, count: count)
        if header.opcode == .close {
            let reason = min(piece.range.lowerBound + 2, cursor)..<cursor
            return try closed(bytes, reason: .input(reason))
        }
        return header.opcode == .ping ? .ping(.input(piece.range)) : .pong(.input(piece.range))
    }

    /// Takes a piece of a payload that could not stay in the input.
    private mutating func received(
        _ piece: FrameDecoder.Piece,
        remaining: Int,
        in input: UnsafeMutableRawBufferPointer,
        _ carried: inout CarriedInput,
        _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Event? {
        guard piece.opcode.isControl else {
            carried.isAdvanced = true
            if configuration.delivery == .pieces {
                return try carried.assembler.messagePassed(piece, in: input, role: role)
                    .map { .piece($0) }
            }
            let kind = try carried.assembler.messageReceived(
                piece, remaining: remaining, in: input, limits: configuration.limits)
            return kind.map { .message($0, .kept) }
        }
        let bytes = carried.assembler.controlReceived(piece, remaining: remaining, in: input)
        guard let bytes else { return nil }
        if !carried.assembler.isCollecting { carried.isAdvanced = true }
        if piece.opcode == .close {
            carried.assembler.closeCodeRead()
            return try closed(bytes, reason: .kept)
        }
        return piece.opcode == .ping ? .ping(.kept) : .pong(.kept)
    }

    /// Takes the peer's close frame (RFC 6455 §5.5.1).
    private mutating func closed(
        _ bytes: UnsafeRawBufferPointer, reason: Event.Payload
    ) throws(ProtocolViolation) -> Event {
        let code = try closeCode(of: bytes)
        return .close(
            Event.PeerClose(reason: reason, code: code, action: closeHandshake.closeReceived()))
    }

    /// Checks a close frame's payload (RFC 6455 §5.5.1, §7.4).
    private func closeCode(
        of bytes: UnsafeRawBufferPointer
    ) throws(ProtocolViolation) -> CloseCode? {
        if bytes.isEmpty { return nil }
        guard bytes.count >= 2, let base = bytes.baseAddress else {
            throw ProtocolViolation(.truncatedCloseCode)
        }
        let code = CloseCode(rawValue: UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
        guard code.isValidOnWire else { throw ProtocolViolation(.invalidCloseCode(code)) }
        var utf8 = UTF8Validator()
        // unsafe: two bytes of bytes.count are skipped.
        guard utf8.validate(base + 2, count: bytes.count - 2), utf8.isAtBoundary else {
            throw ProtocolViolation(.invalidCloseReason)
        }
        return code
    }

    /// Validates a whole text message that is not ASCII.
    @inline(never)
    private mutating func checkText(
        _ payload: UnsafeRawPointer,
        count: Int
    ) throws(ProtocolViolation) {
        var utf8 = UTF8Validator()
        guard utf8.validate(payload, count: count), utf8.isAtBoundary else {
            closeHandshake.violated()
            throw ProtocolViolation(.invalidText)
        }
    }
}
