/// Puts messages together from payload pieces (RFC 6455 §5.4).
///
/// Unfragmented payloads that lie whole in the input are left there; all others are collected in a
/// buffer that exists from the first piece until the message is delivered.
struct MessageAssembler: ~Copyable {
    private var assembly: Assembly?

    init() {}

    /// Takes what is spare elsewhere, for the next incomplete message.
    @inline(__always)
    mutating func borrow(_ lent: inout SpareAssembly) {
        if assembly == nil { swap(&assembly, &lent.assembly) }
    }

    /// Gives back what is spare.
    @inline(__always)
    mutating func giveBack(to lender: inout SpareAssembly) {
        guard let assembly, assembly.isSpare else { return }
        lender.assembly = assembly
        self.assembly = nil
    }

    /// Whether no memory is held: nothing is incomplete and nothing awaits its release.
    @inline(__always)
    var isIdle: Bool { assembly?.isSpare ?? true }

    /// Checks a header against the rules of fragmentation and the limits of a message.
    ///
    /// - Returns: Whether the payload is a whole message by itself.
    mutating func checked(
        _ header: FrameHeader,
        limits: ProtocolLimits
    ) throws(ProtocolViolation) -> Bool {
        var received = 0
        var isCompressed = header.isCompressed
        if header.opcode == .continuation {
            guard let assembly, assembly.messageProgress == .collecting else {
                throw ProtocolViolation(.unexpectedContinuation)
            }
            guard assembly.fragments < limits.fragmentsMax else {
                throw ProtocolViolation(.excessiveFragments(max: limits.fragmentsMax))
            }
            assembly.fragments += 1
            assembly.headerBytes += header.encodedBytes
            guard assembly.headerBytes <= limits.bookkeepingBytesMax else {
                throw ProtocolViolation(.excessiveBookkeeping(max: limits.bookkeepingBytesMax))
            }
            isCompressed = assembly.isCompressed
            received = assembly.message.count + assembly.passedOnBytes
        } else if let assembly, assembly.messageProgress == .collecting {
            throw ProtocolViolation(.unfinishedMessage)
        }
        // `received` is within the limit, so that the difference cannot overflow. What is
        // compressed is counted when it is inflated.
        guard isCompressed || header.payloadBytes <= limits.messageBytesMax - received else {
            let total = UInt64(received) + UInt64(header.payloadBytes)
            throw ProtocolViolation(.oversizedMessage(bytes: total, max: limits.messageBytesMax))
        }
        return header.isFinal && header.opcode != .continuation
    }

    /// Whether a message is in the making.
    var isCollecting: Bool { assembly?.messageProgress == .collecting }

    /// Whether a compressed message is in the making.
    @inline(__always)
    var isCompressed: Bool { assembly?.isCompressed ?? false }

    /// Begins to collect a message of `kind`, whose first header is `header`.
    mutating func messageBegan(_ kind: MessageKind, _ header: FrameHeader) {
        let assembly = allocated()
        assembly.messageProgress = .collecting
        assembly.kind = kind
        assembly.fragments = 1
        assembly.isCompressed = header.isCompressed
        assembly.headerBytes = header.encodedBytes
        assembly.utf8 = UTF8Validator()
        assembly.passedOnBytes = 0
        assembly.isPassedOn = false
    }

    /// Adds a piece of the message that lies at `input`.
    ///
    /// - Parameters:
    ///   - piece: What the decoder said of it.
    ///   - remaining: How much of the frame is still to come.
    ///   - input: The lent bytes.
    ///   - limits: For the final size of a message with more frames to come.
    /// - Returns: The kind of the message if the piece completes it.
    /// - Throws: ``ProtocolViolation`` at the first byte that is not UTF-8 in a text message.
    mutating func messageReceived(
        _ piece: FrameDecoder.Piece,
        remaining: Int,
        in input: UnsafeMutableRawBufferPointer,
        limits: ProtocolLimits
    ) throws(ProtocolViolation) -> MessageKind? {
        guard let assembly, let base = input.baseAddress else {
            preconditionFailure("piece of a message that was not begun")
        }
        if !piece.range.isEmpty {
            let end = assembly.message.count + piece.range.count + remaining
            // unsafe: the decoder's ranges lie within the input.
            let added = assembly.message.append(
                base + piece.range.lowerBound,
                count: piece.range.count,
                expected: piece.isFinal ? end : limits.messageBytesMax,
                key: piece.key
            )
            if assembly.kind == .text, !(added.isASCII && assembly.utf8.isAtBoundary) {
                guard assembly.utf8.validate(added.bytes, count: piece.range.count) else {
                    throw ProtocolViolation(.invalidText)
                }
            }
        }
        guard piece.isLast, piece.isFinal else { return nil }
        guard assembly.utf8.isAtBoundary else { throw ProtocolViolation(.invalidText) }
        assembly.messageProgress = .delivered
        return assembly.kind
    }

    /// Checks a piece of the message that is handed on where it lies, unmasked.
    ///
    /// - Parameters:
    ///   - piece: What the decoder said of it.
    ///   - input: The lent bytes.
    ///   - role: Whether the piece is masked.
    /// - Returns: The piece, or `nil` if there is nothing in it to hand on.
    /// - Throws: ``ProtocolViolation`` at the first byte that is not UTF-8 in a text message.
    mutating func messagePassed(
        _ piece: FrameDecoder.Piece,
        in input: UnsafeMutableRawBufferPointer,
        role: Role
    ) throws(ProtocolViolation) -> ProtocolEvent.MessagePiece? {
        guard let assembly, let base = input.baseAddress else {
            preconditionFailure("piece of a message that was not begun")
        }
        // unsafe: the decoder's ranges lie within the input.
        let bytes = base + piece.range.lowerBound
        let count = piece.range.count
        if role == .server {
            _ = Masking.transform(from: bytes, to: bytes, count: count, key: piece.key)
        }
        if assembly.kind == .text {
            guard assembly.utf8.validate(bytes, count: count) else {
                throw ProtocolViolation(.invalidText)
            }
        }
        assembly.passedOnBytes += count
        let isLast = piece.isLast && piece.isFinal
        if isLast {
            guard assembly.utf8.isAtBoundary else { throw ProtocolViolation(.invalidText) }
            assembly.messageProgress = .delivered
        }
        guard isLast || count > 0 else { return nil }
        let isFirst = !assembly.isPassedOn
        assembly.isPassedOn = true
        return ProtocolEvent.MessagePiece(
            kind: assembly.kind, payload: .input(piece.range), isFirst: isFirst, isLast: isLast)
    }

    /// Counts what a compressed message was inflated to, and has been delivered or is to be.
    ///
    /// - Returns: The kind of the message, and whether this is its first piece.
    mutating func messageInflated(isLast: Bool) -> (kind: MessageKind, isFirst: Bool) {
        guard let assembly else { preconditionFailure("piece of a message that was not begun") }
        let isFirst = !assembly.isPassedOn
        assembly.isPassedOn = true
        if isLast {
            assembly.messageProgress = .delivered
            assembly.isCompressed = false
        }
        return (assembly.kind, isFirst)
    }

    /// Adds a piece of a control frame's payload.
    ///
    /// - Returns: The whole payload if the piece completes it; valid until ``release()``.
    mutating func controlReceived(
        _ piece: FrameDecoder.Piece,
        remaining: Int,
        in input: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        let assembly = allocated()
        assembly.controlProgress = piece.isLast ? .delivered : .collecting
        if !piece.range.isEmpty, let base = input.baseAddress {
            // unsafe: the decoder's ranges lie within the input.
            _ = assembly.control.append(
                base + piece.range.lowerBound,
                count: piece.range.count,
                expected: assembly.control.count + piece.range.count + remaining,
                key: piece.key
            )
        }
        return piece.isLast ? assembly.control.bytes : nil
    }

    /// What was delivered and not yet released.
    var delivered: UnsafeRawBufferPointer {
        guard let assembly else { preconditionFailure("no payload is kept") }
        if assembly.controlProgress == .delivered {
            return UnsafeRawBufferPointer(
                rebasing: assembly.control.bytes.dropFirst(assembly.controlSkipped))
        }
        precondition(assembly.messageProgress == .delivered, "no payload is kept")
        return assembly.message.bytes
    }

    /// Leaves the code out of the close frame's payload that was just completed.
    mutating func closeCodeRead() {
        assembly?.controlSkipped = 2
    }

    /// The memory of the message in the making.
    var heldBytes: Int { assembly?.message.capacity ?? 0 }

    /// The decoder inside whose frame the input ended; `nil` between frames.
    var cutDecoder: FrameDecoder? { assembly?.cutDecoder }

    /// Keeps the decoder where it is inside a frame.
    mutating func keep(_ decoder: FrameDecoder) {
        if !decoder.isBetweenFrames {
            allocated().cutDecoder = decoder
        } else if let assembly {
            assembly.cutDecoder = nil
        }
        // Memory that a longer message left is not held by a short one that may stay incomplete.
        if let assembly, !assembly.isSpare, assembly.messageProgress != .delivered {
            assembly.message.trim()
        }
    }

    /// Frees what was delivered, or keeps its memory for the next incomplete message.
    mutating func release(keepsSpare: Bool) {
        guard let assembly else { return }
        if assembly.controlProgress == .delivered {
            assembly.controlProgress = .none
            assembly.control.removeAll()
            assembly.controlSkipped = 0
        }
        if assembly.messageProgress == .delivered {
            assembly.messageProgress = .none
            if keepsSpare, assembly.message.capacity <= SpareAssembly.messageBytesMax {
                assembly.message.removeAll()
            } else {
                assembly.message = GrowingBuffer()
            }
        }
        if assembly.controlProgress == .none, assembly.messageProgress == .none,
            assembly.cutDecoder == nil
        {
            assembly.isCompressed = false
            assembly.isSpare = true
            if !keepsSpare { self.assembly = nil }
        }
    }

    /// Frees everything, delivered or not.
    mutating func discard() {
        assembly = nil
    }

    private mutating func allocated() -> Assembly {
        if let assembly {
            assembly.isSpare = false
            return assembly
        }
        let new = Assembly()
        assembly = new
        return new
    }
}
