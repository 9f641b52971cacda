/// Splits a byte stream into frame events (RFC 6455 §5.2).
///
/// Performs no I/O and keeps no payload bytes; of a header that the end of the input cuts, it keeps
/// the bytes so far (at most 13, inline), so that its caller keeps nothing.
///
///     awaitingHeader ──header──▶ awaitingPayload ──last piece──▶ awaitingHeader
///       │        ▲                     │   ▲
///     cut by     │                     └─piece
///     the input  header                                 any of them ──violation──▶ failed
///       ▼        │
///     cutHeader ─┘
///
/// Complexity: O(header bytes) per ``next(in:at:limits:compression:)``; payload bytes are never
/// touched.
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
    @usableFromInline
    struct Piece {
        @usableFromInline let range: Range<Int>
        @usableFromInline let key: MaskingKey
        @usableFromInline let isLast: Bool
        @usableFromInline let firstByte: UInt8

        @inlinable
        init(range: Range<Int>, key: MaskingKey, isLast: Bool, firstByte: UInt8) {
            self.range = range
            self.key = key
            self.isLast = isLast
            self.firstByte = firstByte
        }

        var opcode: Opcode { Opcode(rawValue: firstByte & 0xF) }
        var isFinal: Bool { firstByte & 0x80 != 0 }
    }

    @usableFromInline
    enum State: Sendable {
        case awaitingHeader
        case cutHeader(HeaderPrefix)
        case awaitingPayload(remaining: Int, key: MaskingKey, firstByte: UInt8)
        case failed
    }

    @usableFromInline var state = State.awaitingHeader
    public let role: Role

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
    ///   - agreed: The compression agreed on, the same in every call, or `nil`: then RSV1 is refused
    ///     (RFC 7692 §6).
    /// - Returns: The event, or `nil` if it needs more than `input` holds; all of `input` is
    ///   consumed then.
    /// - Throws: ``ProtocolViolation``. Later calls are a programmer error.
    // Inlined, so that no event is put together which its user takes apart at once.
    @inlinable
    @inline(__always)
    public mutating func next(
        in input: RawSpan,
        at cursor: inout Int,
        limits: ProtocolLimits,
        compression agreed: PerMessageDeflate? = nil
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
        if let header = usualHeader(in: input, at: &cursor, limits) { return .header(header) }
        let header = try input.withUnsafeBytes { (buffer) throws(ProtocolViolation) in
            try nextHeader(
                in: buffer, at: &cursor, payloadBytesMax: limits.framePayloadBytesMax,
                mayBeCompressed: agreed != nil)
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

    /// Reads a header of which no byte is missing and in which there is nothing to refuse.
    ///
    /// - Returns: `nil` for any other, which ``nextHeader(in:at:payloadBytesMax:)`` judges.
    @inlinable
    @inline(__always)
    mutating func usualHeader(
        in input: RawSpan, at cursor: inout Int, _ limits: ProtocolLimits
    ) -> FrameHeader? {
        guard case .awaitingHeader = state, input.byteCount &- cursor >= FrameHeader.bytesMax else {
            return nil
        }
        // unsafe: FrameHeader.bytesMax bytes lie behind the cursor, more than any load here needs.
        let head = input.unsafeLoadUnaligned(fromUncheckedByteOffset: cursor, as: UInt64.self)
            .littleEndian
        let first = UInt8(truncatingIfNeeded: head)
        let second = UInt8(truncatingIfNeeded: head &>> 8)
        // A bit for each opcode with a meaning: 0x0–0x2 and 0x8–0xA.
        let isKnown = (0x0707 as UInt32) &>> UInt32(first & 0xF) & 1 == 1
        guard first & 0x70 == 0, isKnown, (second & 0x80 != 0) == (role == .server) else {
            return nil
        }
        guard first & 0x8 == 0 || first & 0x80 != 0 && second & 0x7F < 126 else { return nil }
        var length = Int(second & 0x7F)
        var lengthEnd = 2
        if length >= 126 {
            if length == 126 {
                length = Int(UInt16(truncatingIfNeeded: head &>> 16).byteSwapped)
                guard length >= 126 else { return nil }
                lengthEnd = 4
            } else {
                let word = input.unsafeLoadUnaligned(
                    fromUncheckedByteOffset: cursor &+ 2, as: UInt64.self)
                length = Int(truncatingIfNeeded: UInt64(bigEndian: word))
                guard length >= 0x10000 else { return nil }
                lengthEnd = 10
            }
        }
        guard length <= limits.framePayloadBytesMax else { return nil }
        let word = input.unsafeLoadUnaligned(
            fromUncheckedByteOffset: cursor &+ lengthEnd, as: UInt32.self)
        let header = FrameHeader(
            isFinal: first & 0x80 != 0,
            opcode: Opcode(rawValue: first & 0xF),
            payloadBytes: length,
            maskingKey: role == .server ? MaskingKey(word: word) : nil
        )
        let headerBytes = role == .server ? lengthEnd &+ 4 : lengthEnd
        return headerEnded((header, first, headerBytes), consumed: headerBytes, at: &cursor)
    }

    @usableFromInline
    mutating func nextHeader(
        in input: UnsafeRawBufferPointer,
        at cursor: inout Int,
        payloadBytesMax: Int,
        mayBeCompressed: Bool
    ) throws(ProtocolViolation) -> FrameHeader? {
        let available = input.count - cursor
        guard available > 0, let base = input.baseAddress else { return nil }
        let start = UnsafeRawPointer(base) + cursor
        do throws(ProtocolViolation) {
            switch state {
            case .awaitingHeader:
                if let found = try readHeader(
                    start, available, payloadBytesMax, mayBeCompressed)
                {
                    return headerEnded(found, consumed: found.bytes, at: &cursor)
                }
                var prefix = HeaderPrefix()
                prefix.append(start, count: available)
                state = .cutHeader(prefix)
            case .cutHeader(let kept):
                var prefix = kept
                prefix.append(start, count: available)
                let found = try prefix.withBytes { (bytes) throws(ProtocolViolation) in
                    try readHeader(bytes, Int(prefix.count), payloadBytesMax, mayBeCompressed)
                }
                if let found {
                    return headerEnded(found, consumed: found.bytes - Int(kept.count), at: &cursor)
                }
                state = .cutHeader(prefix)
            case .awaitingPayload: preconditionFailure("header asked for inside a payload")
            case .failed: preconditionFailure("decoder used after a ProtocolViolation")
            }
        } catch {
            state = .failed
            throw error
        }
        cursor = input.count
        return nil
    }

    @inlinable
    @inline(__always)
    mutating func headerEnded(
        _ found: (header: FrameHeader, firstByte: UInt8, bytes: Int),
        consumed: Int,
        at cursor: inout Int
    ) -> FrameHeader {
        cursor += consumed
        state = .awaitingPayload(
            remaining: found.header.payloadBytes,
            key: found.header.maskingKey ?? MaskingKey(word: 0),
            firstByte: found.firstByte
        )
        return found.header
    }

    /// Reads a header at `start`, and checks as much of it as is there.
    ///
    /// - Returns: `nil` if it takes more than `available` bytes.
    @inline(__always)
    private func readHeader(
        _ start: UnsafeRawPointer,
        _ available: Int,
        _ payloadBytesMax: Int,
        _ mayBeCompressed: Bool
    ) throws(ProtocolViolation) -> (header: FrameHeader, firstByte: UInt8, bytes: Int)? {
        // unsafe: every read below is preceded by a check that so many bytes are available.
        let first = start.load(as: UInt8.self)
        try Self.checkFirstByte(first, mayBeCompressed)
        guard available >= 2 else { return nil }
        let second = start.load(fromByteOffset: 1, as: UInt8.self)
        try checkSecondByte(second, isControl: first & 0x8 != 0)
        var length = UInt64(second & 0x7F)
        var lengthEnd = 2
        if length == 126 {
            lengthEnd = 4
            guard available >= lengthEnd else { return nil }
            let word = start.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
            length = UInt64(UInt16(bigEndian: word))
        } else if length == 127 {
            lengthEnd = 10
            guard available >= lengthEnd else { return nil }
            let word = start.loadUnaligned(fromByteOffset: 2, as: UInt64.self)
            length = UInt64(bigEndian: word)
        }
        try Self.checkLength(length, lengthEnd: lengthEnd, payloadBytesMax: payloadBytesMax)
        var key: MaskingKey?
        var headerBytes = lengthEnd
        if role == .server {
            headerBytes += 4
            guard available >= headerBytes else { return nil }
            let word = start.loadUnaligned(fromByteOffset: lengthEnd, as: UInt32.self)
            key = MaskingKey(word: word)
        }
        let header = FrameHeader(
            isFinal: first & 0x80 != 0,
            isCompressed: first & 0x40 != 0,
            opcode: Opcode(rawValue: first & 0xF),
            payloadBytes: Int(length),
            maskingKey: key
        )
        return (header, first, headerBytes)
    }

    private static func checkFirstByte(
        _ byte: UInt8, _ mayBeCompressed: Bool
    ) throws(ProtocolViolation) {
        // RSV1 marks the first frame of a compressed message, and no other (RFC 7692 §6.1).
        let mayHaveRSV1 = mayBeCompressed && (byte & 0xF == 1 || byte & 0xF == 2)
        guard byte & (mayHaveRSV1 ? 0x30 : 0x70) == 0 else {
            throw ProtocolViolation(.reservedBits)
        }
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

    /// The piece of the current frame's payload that the input holds, or `nil` if it holds none of
    /// it.
    @inlinable
    @inline(__always)
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

    /// Whether the frame begun is a control frame.
    var isInsideControlFrame: Bool {
        switch state {
        case .cutHeader(let prefix): prefix.firstByte & 0x8 != 0
        case .awaitingPayload(_, _, let firstByte): firstByte & 0x8 != 0
        case .awaitingHeader, .failed: false
        }
    }

    /// Takes the last `count` bytes of a piece back: they come again in the next one.
    mutating func giveBack(_ count: Int, of piece: Piece) {
        assert(count <= piece.range.count, "\(count) of \(piece.range.count) bytes")
        state = .awaitingPayload(
            remaining: remainingBytes + count,
            key: piece.key.advanced(by: piece.range.count - count), firstByte: piece.firstByte)
    }

    /// What is still missing of the current frame's payload.
    var remainingBytes: Int {
        guard case .awaitingPayload(let remaining, _, _) = state else { return 0 }
        return remaining
    }
}
