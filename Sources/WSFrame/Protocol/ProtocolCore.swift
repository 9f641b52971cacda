/// What ``ServerProtocol`` and ``ClientProtocol`` share: one end of a connection after its upgrade
/// (RFC 6455 §5–§7).
///
/// The role is fixed when it is made, and asked once for each event.
package struct ProtocolCore: ~Copyable {
    package typealias Event = ProtocolEvent

    private let configuration: ProtocolConfiguration
    private var assembler = MessageAssembler()
    private var decoder: FrameDecoder
    private var closeHandshake = CloseHandshake()
    /// Control frames seen in the current input.
    private var controlFrames: UInt32 = 0

    package init(role: Role, configuration: ProtocolConfiguration) {
        self.configuration = configuration
        decoder = FrameDecoder(role: role)
    }

    /// Which end this is.
    package var role: Role { decoder.role }

    /// As ``ServerProtocol/next(in:at:)``.
    package mutating func next(
        in input: inout MutableRawSpan,
        at cursor: inout Int
    ) throws(ProtocolViolation) -> Event? {
        try input.withUnsafeMutableBytes { (buffer) throws(ProtocolViolation) in
            try next(in: buffer, at: &cursor)
        }
    }

    /// As ``ServerProtocol/withPayload(_:in:_:)``.
    package func withPayload<R, E: Error>(
        _ payload: Event.Payload,
        in input: borrowing MutableRawSpan,
        _ body: (RawSpan) throws(E) -> R
    ) throws(E) -> R {
        switch payload {
        case .input(let range): try body(input.bytes.extracting(range))
        case .kept: try body(assembler.delivered.bytes)
        }
    }

    /// As ``ServerProtocol/keptPayload``.
    package var keptPayload: UnsafeRawBufferPointer { assembler.delivered }

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
        at cursor: inout Int
    ) throws(ProtocolViolation) -> Event? {
        precondition(cursor >= 0 && cursor <= input.count, "cursor \(cursor) is outside the input")
        if decoder.isBetweenFrames, assembler.isIdle, closeHandshake.mayReceive {
            let event =
                decoder.role == .server
                ? try nextInPlace(in: input, at: &cursor)
                : try nextUnmaskedInPlace(in: input, at: &cursor)
            if let event { return event }
        }
        return try nextStepwise(in: input, at: &cursor)
    }

    /// The common case of a server in one pass: an unfragmented data frame up to 64 KiB, whole in the input.
    ///
    /// - Returns: The message, or `nil` if the frame at the cursor is anything else, valid or not.
    @inline(__always)
    private mutating func nextInPlace(
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int
    ) throws(ProtocolViolation) -> Event? {
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
        guard available &- headerBytes >= count, count <= configuration.inPlaceBytesMax else {
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
        return .message(kind, .input(Range(uncheckedBounds: (lower, lower &+ count))))
    }

    /// The common case of a client: an unfragmented data frame up to 64 KiB, whole in the input.
    ///
    /// - Returns: As ``nextInPlace(in:at:)``.
    @inline(__always)
    private mutating func nextUnmaskedInPlace(
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int
    ) throws(ProtocolViolation) -> Event? {
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
        guard available &- headerBytes >= count, count <= configuration.inPlaceBytesMax else {
            return nil
        }
        let lower = cursor &+ headerBytes
        cursor = lower &+ count
        // unsafe: lower + count <= input.count, checked just above.
        if kind == .text { try checkText(base + lower, count: count) }
        return .message(kind, .input(Range(uncheckedBounds: (lower, lower &+ count))))
    }
}

// MARK: - What the fast path leaves

extension ProtocolCore {
    /// Any frame in any state, piece by piece.
    @inline(never)
    private mutating func nextStepwise(
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int
    ) throws(ProtocolViolation) -> Event? {
        guard closeHandshake.mayReceive else {
            assembler.discard()
            cursor = input.count
            return nil
        }
        assembler.release()
        do throws(ProtocolViolation) {
            while true {
                if !decoder.isInsideFrame {
                    let header = try decoder.nextHeader(
                        in: UnsafeRawBufferPointer(input),
                        at: &cursor,
                        payloadBytesMax: configuration.limits.framePayloadBytesMax
                    )
                    guard let header else {
                        controlFrames = 0
                        return nil
                    }
                    if let event = try began(header, in: input, at: &cursor) { return event }
                }
                guard let piece = decoder.nextPiece(inputBytes: input.count, at: &cursor) else {
                    controlFrames = 0
                    return nil
                }
                if let event = try received(piece, in: input) { return event }
            }
        } catch {
            closeHandshake.violated()
            assembler.discard()
            cursor = input.count
            throw error
        }
    }

    /// Takes a header, and its payload too if that can stay in the input.
    private mutating func began(
        _ header: FrameHeader,
        in input: UnsafeMutableRawBufferPointer,
        at cursor: inout Int
    ) throws(ProtocolViolation) -> Event? {
        let isWhole: Bool
        if header.opcode.isControl {
            controlFrames += 1
            let most = configuration.limits.controlFramesPerInputMax
            guard controlFrames <= most else {
                throw ProtocolViolation(.excessiveControlFrames(max: most))
            }
            isWhole = true
        } else {
            isWhole = try assembler.checked(header, limits: configuration.limits)
        }
        guard isWhole, input.count - cursor >= header.payloadBytes else {
            if let kind = MessageKind(rawValue: header.opcode.rawValue) {
                assembler.messageBegan(kind)
            }
            return nil
        }
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
            decoder.role == .server
            ? Masking.transform(from: payload, to: payload, count: count, key: piece.key)
            : UInt64.max
        if let kind = MessageKind(rawValue: header.opcode.rawValue) {
            if kind == .text, seen & 0x8080_8080_8080_8080 != 0 {
                var utf8 = UTF8Validator()
                guard utf8.validate(payload, count: count), utf8.isAtBoundary else {
                    throw ProtocolViolation(.invalidText)
                }
            }
            return .message(kind, .input(piece.range))
        }
        return try controlled(
            header.opcode,
            UnsafeRawBufferPointer(start: payload, count: count),
            at: .input(piece.range)
        )
    }

    /// Takes a piece of a payload that could not stay in the input.
    private mutating func received(
        _ piece: FrameDecoder.Piece,
        in input: UnsafeMutableRawBufferPointer
    ) throws(ProtocolViolation) -> Event? {
        let remaining = decoder.remainingBytes
        guard piece.opcode.isControl else {
            let kind = try assembler.messageReceived(
                piece, remaining: remaining, in: input, limits: configuration.limits)
            return kind.map { .message($0, .kept) }
        }
        let payload = assembler.controlReceived(piece, remaining: remaining, in: input)
        guard let payload else { return nil }
        return try controlled(piece.opcode, payload, at: .kept)
    }

    /// Takes a whole control frame (RFC 6455 §5.5).
    private mutating func controlled(
        _ opcode: Opcode,
        _ bytes: UnsafeRawBufferPointer,
        at payload: Event.Payload
    ) throws(ProtocolViolation) -> Event {
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        default:
            assert(opcode == .close, "opcode \(opcode.rawValue) is no control frame")
        }
        let code = try closeCode(of: bytes)
        let reason: Event.Payload
        switch payload {
        case .input(let range):
            reason = .input(min(range.lowerBound + 2, range.upperBound)..<range.upperBound)
        case .kept:
            assembler.closeCodeRead()
            reason = .kept
        }
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
