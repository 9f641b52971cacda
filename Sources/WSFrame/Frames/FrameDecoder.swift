/// Splits a byte stream into frame events (RFC 6455 §5.2).
///
/// Performs no I/O and keeps no payload bytes; of a header that the end of the input cuts, it keeps the
/// bytes so far (at most 13, inline), so that its caller keeps nothing.
///
///     awaitingHeader ──header──▶ awaitingPayload ──last piece──▶ awaitingHeader
///       │        ▲                     │   ▲
///     cut by     │                     └─piece
///     the input  header                                 any of them ──violation──▶ failed
///       ▼        │
///     cutHeader ─┘
///
/// Complexity: O(header bytes) per ``next(in:at:limits:)``; payload bytes are never touched.
public struct FrameDecoder: Sendable {
    /// What comes next in the stream.
    public enum Event: Hashable, Sendable {
        /// A header is complete; its payload follows, even if it is empty.
        case header(FrameHeader)
        /// A piece of the payload lies at `range` of the input.
        ///
        /// `maskingKey` is the key for the piece's first byte, `nil` where frames are not masked.
        /// After the piece with `isLast`, which alone may be empty, the frame is complete.
        case payload(range: Range<Int>, maskingKey: MaskingKey?, isLast: Bool)
    }

    /// A piece of payload, and the first byte of the header it belongs to.
    struct Piece {
        let range: Range<Int>
        let key: MaskingKey
        let isLast: Bool
        let firstByte: UInt8

        var opcode: Opcode { Opcode(rawValue: firstByte & 0xF) }
        var isFinal: Bool { firstByte & 0x80 != 0 }
    }

    private enum State: Hashable, Sendable {
        case awaitingHeader
        case cutHeader(HeaderPrefix)
        case awaitingPayload(remaining: Int, key: MaskingKey, firstByte: UInt8)
        case failed
    }

    public let role: Role
    private var state = State.awaitingHeader

    /// Makes a decoder for what the peer of `role` sends.
    public init(role: Role) {
        self.role = role
    }

    /// Decodes one event from `input`, starting at `cursor`.
    ///
    /// - Parameters:
    ///   - input: Bytes received; those before `cursor` are consumed.
    ///   - cursor: Offset of the first unconsumed byte; advanced past the event.
    ///   - limits: Only ``ProtocolLimits/framePayloadBytesMax`` is used; the same in every call.
    /// - Returns: The event, or `nil` if it needs more than `input` holds; all of `input` is consumed then.
    /// - Throws: ``ProtocolViolation``. Later calls are a programmer error.
    public mutating func next(
        in input: RawSpan,
        at cursor: inout Int,
        limits: ProtocolLimits
    ) throws(ProtocolViolation) -> Event? {
        precondition(cursor >= 0 && cursor <= input.byteCount, "cursor \(cursor) is outside")
        if case .awaitingPayload = state {
            guard let piece = nextPiece(inputBytes: input.byteCount, at: &cursor) else {
                return nil
            }
            return .payload(
                range: piece.range,
                maskingKey: role == .server ? piece.key : nil,
                isLast: piece.isLast
            )
        }
        let header = try input.withUnsafeBytes { (buffer) throws(ProtocolViolation) in
            try nextHeader(in: buffer, at: &cursor, payloadBytesMax: limits.framePayloadBytesMax)
        }
        return header.map { .header($0) }
    }

    // MARK: - Headers

    /// Whether a header begins at the cursor: the state of a connection between two frames.
    @inline(__always)
    var isBetweenFrames: Bool {
        if case .awaitingHeader = state { true } else { false }
    }

    /// Whether the header of the frame at the cursor has been decoded.
    var isInsideFrame: Bool {
        if case .awaitingPayload = state { true } else { false }
    }

    mutating func nextHeader(
        in input: UnsafeRawBufferPointer,
        at cursor: inout Int,
        payloadBytesMax: Int
    ) throws(ProtocolViolation) -> FrameHeader? {
        var prefix: HeaderPrefix
        switch state {
        case .awaitingHeader: prefix = HeaderPrefix()
        case .cutHeader(let kept): prefix = kept
        case .awaitingPayload: preconditionFailure("header asked for inside a payload")
        case .failed: preconditionFailure("decoder used after a ProtocolViolation")
        }
        do throws(ProtocolViolation) {
            while cursor < input.count {
                prefix.append(input[cursor])
                cursor += 1
                if let header = try header(from: prefix, payloadBytesMax: payloadBytesMax) {
                    state = .awaitingPayload(
                        remaining: header.payloadBytes,
                        key: header.maskingKey ?? MaskingKey(word: 0),
                        firstByte: prefix[0]
                    )
                    return header
                }
            }
        } catch {
            state = .failed
            throw error
        }
        state = prefix.count == 0 ? .awaitingHeader : .cutHeader(prefix)
        return nil
    }

    /// Checks the last byte of `prefix`, and returns the header if that byte completes it.
    private func header(
        from prefix: HeaderPrefix,
        payloadBytesMax: Int
    ) throws(ProtocolViolation) -> FrameHeader? {
        let count = Int(prefix.count)
        if count == 1 {
            try Self.checkFirstByte(prefix[0])
            return nil
        }
        let form = prefix[1] & 0x7F
        if count == 2 {
            try checkSecondByte(prefix[1], isControl: prefix[0] & 0x8 != 0)
        }
        let lengthEnd = form == 127 ? 10 : form == 126 ? 4 : 2
        guard count >= lengthEnd else { return nil }
        var length = UInt64(form)
        if lengthEnd > 2 {
            length = 0
            for offset in 2..<lengthEnd { length = length << 8 | UInt64(prefix[offset]) }
        }
        if count == lengthEnd {
            try Self.checkLength(length, lengthEnd: lengthEnd, payloadBytesMax: payloadBytesMax)
        }
        let isMasked = role == .server
        guard count == lengthEnd + (isMasked ? 4 : 0) else { return nil }
        let key = MaskingKey(
            prefix[count - 4], prefix[count - 3], prefix[count - 2], prefix[count - 1])
        return FrameHeader(
            isFinal: prefix[0] & 0x80 != 0,
            opcode: Opcode(rawValue: prefix[0] & 0xF),
            payloadBytes: Int(length),
            maskingKey: isMasked ? key : nil
        )
    }

    private static func checkFirstByte(_ byte: UInt8) throws(ProtocolViolation) {
        guard byte & 0x70 == 0 else { throw ProtocolViolation(.reservedBits) }
        let opcode = Opcode(rawValue: byte & 0xF)
        guard !opcode.isReserved else { throw ProtocolViolation(.reservedOpcode(opcode)) }
        guard !opcode.isControl || byte & 0x80 != 0 else {
            throw ProtocolViolation(.fragmentedControlFrame)
        }
    }

    private func checkSecondByte(_ byte: UInt8, isControl: Bool) throws(ProtocolViolation) {
        switch role {
        case .server:
            guard byte & 0x80 != 0 else { throw ProtocolViolation(.unmaskedFrame) }
        case .client:
            guard byte & 0x80 == 0 else { throw ProtocolViolation(.maskedFrame) }
        }
        guard !isControl || byte & 0x7F <= 125 else {
            throw ProtocolViolation(.oversizedControlFrame)
        }
    }

    private static func checkLength(
        _ length: UInt64,
        lengthEnd: Int,
        payloadBytesMax: Int
    ) throws(ProtocolViolation) {
        guard length >> 63 == 0 else { throw ProtocolViolation(.lengthOverflow) }
        let lengthMin: UInt64 = lengthEnd == 10 ? 0x10000 : lengthEnd == 4 ? 126 : 0
        guard length >= lengthMin else { throw ProtocolViolation(.nonMinimalLength) }
        guard length <= UInt64(payloadBytesMax) else {
            throw ProtocolViolation(.oversizedFrame(bytes: length, max: payloadBytesMax))
        }
    }

    // MARK: - Payload

    /// The piece of the current frame's payload that the input holds, or `nil` if it holds none of it.
    mutating func nextPiece(inputBytes: Int, at cursor: inout Int) -> Piece? {
        guard case .awaitingPayload(let remaining, let key, let firstByte) = state else {
            preconditionFailure("payload asked for outside a frame")
        }
        let start = cursor
        let count = min(remaining, inputBytes - start)
        guard count > 0 || remaining == 0 else { return nil }
        cursor = start + count
        let isLast = count == remaining
        state =
            isLast
            ? .awaitingHeader
            : .awaitingPayload(
                remaining: remaining - count, key: key.advanced(by: count), firstByte: firstByte)
        return Piece(range: start..<cursor, key: key, isLast: isLast, firstByte: firstByte)
    }

    /// What is still missing of the current frame's payload.
    var remainingBytes: Int {
        guard case .awaitingPayload(let remaining, _, _) = state else { return 0 }
        return remaining
    }
}
