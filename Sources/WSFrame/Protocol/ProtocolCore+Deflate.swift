// Compressed messages (RFC 7692 §6.2): they go through the connection's DeflateCodec.
extension ProtocolCore {
    /// The most compressed bytes that are inflated at once where messages come in pieces.
    private static var inflatedAtOnceMax: Int { 4 << 10 }

    /// What one call is given, and what stays the same in it.
    struct InflatingState {
        let input: UnsafeMutableRawBufferPointer
        let deflate: DeflateCodec
        let configuration: ProtocolConfiguration
    }

    /// What came of the next piece of a compressed message.
    enum OnPiece {
        case event(Event)
        case more
        case needsInput
    }

    /// Inflates the next piece of a compressed message that does not lie whole in the input.
    mutating func inflated(
        _ state: InflatingState, at cursor: inout Int, _ decoder: inout FrameDecoder,
        _ carried: inout CarriedInput
    ) throws(ProtocolViolation) -> OnPiece {
        let input = state.input
        // A piece that may have to be taken back in part is short.
        let end =
            state.configuration.delivery == .pieces
            ? min(input.count, cursor + Self.inflatedAtOnceMax) : input.count
        guard let piece = decoder.nextPiece(inputBytes: end, at: &cursor) else {
            return .needsInput
        }
        carried.isAdvanced = true
        guard let base = input.baseAddress else { preconditionFailure("a piece of no input") }
        // unsafe: the decoder's ranges lie within the input.
        let bytes = base + piece.range.lowerBound
        let count = piece.range.count
        if role == .server {
            _ = Masking.transform(from: bytes, to: bytes, count: count, key: piece.key)
        }
        let consumed = try state.deflate.received(bytes, count: count, state.configuration)
        if consumed < count {
            takeBack(count - consumed, of: piece, at: bytes, &cursor, &decoder)
        } else if piece.isLast, piece.isFinal {
            state.deflate.lastFrameEnded()
        }
        if let event = try inflated(by: state.deflate, &carried, state.configuration) {
            return .event(event)
        }
        // Once the turn's bytes are used up, the rest has to wait.
        return consumed < count || state.deflate.isFinishing ? .needsInput : .more
    }

    /// Inflates a message that lies whole in the input as one frame.
    ///
    /// - Returns: The message, or `nil` where a turn's bytes were used up within it.
    mutating func inflatedWhole(
        _ header: FrameHeader, _ piece: FrameDecoder.Piece, at payload: UnsafeMutableRawPointer,
        _ cursor: inout Int, _ decoder: inout FrameDecoder, _ carried: inout CarriedInput,
        _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Event? {
        guard let kind = MessageKind(rawValue: header.opcode.rawValue),
            let deflate = carried.deflate
        else { preconditionFailure("a compressed frame where nothing is compressed") }
        let count = piece.range.count
        let consumed = try deflate.received(payload, count: count, configuration)
        if consumed == count {
            deflate.lastFrameEnded()
            if try deflate.finish(configuration) {
                _ = deflate.deliver()
                return .message(kind, .kept)
            }
        }
        // It goes on like one that came in pieces.
        carried.assembler.messageBegan(kind, header)
        takeBack(count - consumed, of: piece, at: payload, &cursor, &decoder)
        return nil
    }

    /// Leaves the last `count` bytes of a piece for the next call, masked as they came.
    private func takeBack(
        _ count: Int, of piece: FrameDecoder.Piece, at bytes: UnsafeMutableRawPointer,
        _ cursor: inout Int, _ decoder: inout FrameDecoder
    ) {
        guard count > 0 else { return }
        let kept = piece.range.count - count
        // unsafe: `bytes` is where the piece lies, and `count` is a part of it.
        let rest = bytes + kept
        if role == .server {
            let key = piece.key.advanced(by: kept)
            _ = Masking.transform(from: rest, to: rest, count: count, key: key)
        }
        decoder.giveBack(count, of: piece)
        cursor -= count
    }

    /// What there is to hand on of the message in the making.
    mutating func inflated(
        by deflate: DeflateCodec, _ carried: inout CarriedInput,
        _ configuration: ProtocolConfiguration
    ) throws(ProtocolViolation) -> Event? {
        let isLast = deflate.isFinishing ? try deflate.finish(configuration) : false
        guard configuration.delivery == .pieces else {
            guard isLast else { return nil }
            _ = deflate.deliver()
            return .message(carried.assembler.messageInflated(isLast: true).kind, .kept)
        }
        guard deflate.deliver() || isLast else { return nil }
        let (kind, isFirst) = carried.assembler.messageInflated(isLast: isLast)
        return .piece(
            Event.MessagePiece(kind: kind, payload: .kept, isFirst: isFirst, isLast: isLast))
    }
}
