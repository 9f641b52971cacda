import WSFrame

/// One end's protocol: every call that returns an event gets further in its input, one that returns
/// none has taken all of it, nothing kept passes its limit, and the events are the same however the
/// stream is cut and whatever a turn may inflate.
enum FrameCheck {
    /// What was said of a stream. A message read in pieces counts when it is complete, because where
    /// pieces end depends on the cuts.
    private enum Said: Equatable {
        case message(MessageKind, [UInt8])
        case ping([UInt8])
        case pong([UInt8])
        case close(CloseCode?, [UInt8])
        case violation(ProtocolViolation)
        case broken(String)
    }

    // Two bytes choose settings and cuts, the rest is the stream.
    static func finding(
        in input: [UInt8], role: Role, agreed: PerMessageDeflate? = nil
    ) -> String? {
        guard input.count > 2 else { return nil }
        let settings = configuration(input[0])
        let stream = Array(input[2...])
        let whole = said(of: stream, role, settings, .none, agreed)
        for cuts in [Cuts.everywhere, .seeded(input[1])] {
            let parts = said(of: stream, role, settings, cuts, agreed)
            guard agree(parts, whole, isCompressed: agreed != nil) else {
                return "\(cuts): \(parts) but whole \(whole)"
            }
        }
        if case .broken(let what)? = whole.last { return what }
        let headers = headers(of: stream, role, settings.limits, .none, agreed)
        let cut = Self.headers(of: stream, role, settings.limits, .seeded(input[1]), agreed)
        if headers != cut {
            return "headers depend on the cuts"
        }
        return headers.first { $0.hasPrefix("not canonical") }
    }

    /// Whether two readings of one stream say the same. Where compressed data are wrong may be noticed
    /// sooner or later, depending on how much of them there is: then what both said before has to agree.
    private static func agree(_ one: [Said], _ other: [Said], isCompressed: Bool) -> Bool {
        if one == other { return true }
        guard isCompressed else { return false }
        return [(one, other), (other, one)].contains { failed, longer in
            guard case .violation? = failed.last else { return false }
            return longer.starts(with: failed.dropLast())
        }
    }

    private static func configuration(_ choice: UInt8) -> ProtocolConfiguration {
        let isSmall = choice & 1 != 0
        let limits = ProtocolLimits(
            framePayloadBytesMax: isSmall ? 200 : 1 << 20,
            messageBytesMax: isSmall ? 300 : 1 << 20,
            fragmentsMax: choice & 2 != 0 ? 3 : 1_024,
            // Counted by input, and so by cuts.
            controlFramesPerInputMax: 1 << 20)
        return ProtocolConfiguration(
            limits: limits, delivery: choice & 4 != 0 ? .pieces : .whole)
    }

    private static func said(
        of stream: [UInt8], _ role: Role, _ configuration: ProtocolConfiguration, _ cuts: Cuts,
        _ agreed: PerMessageDeflate?
    ) -> [Said] {
        var said: [Said] = []
        var partial: [UInt8] = []
        var core = ProtocolCore(role: role)
        let pool = DeflatePool()
        let deflate = agreed.map {
            DeflateCodec($0, role: role, configuration: .shared, pool: pool)
        }
        var carried = CarriedInput(deflate: deflate)
        // Cut at random, little is inflated in each turn; and every turn gets further.
        let turnBytes = cuts.turnBytes(upTo: configuration.limits.messageBytesMax)
        // What a few bytes inflate to may come in many pieces.
        let pieceBytes = min(turnBytes ?? .max, 1 << 14)
        let standstillsMax =
            deflate == nil ? 0 : configuration.limits.messageBytesMax / pieceBytes + 2
        var standstills = 0
        let turnsMax = configuration.limits.messageBytesMax / (turnBytes ?? 1) + 2
        var (turn, waits) = (0, 0)
        cuts.forEachPiece(of: stream) { piece in
            var span = piece.mutableSpan
            var bytes = span.mutableBytes
            var cursor = 0
            do throws(ProtocolViolation) {
                while true {
                    let before = cursor
                    if let turnBytes { deflate?.turnBegan(turn, bytesMax: turnBytes) }
                    let event = try core.next(
                        in: &bytes, at: &cursor, carrying: &carried, configuration)
                    guard let event else {
                        guard cursor < bytes.byteCount || deflate?.isFinishing == true,
                            turnBytes != nil
                        else { break }
                        turn += 1
                        waits = cursor > before ? 0 : waits + 1
                        guard waits <= turnsMax else {
                            said.append(.broken("\(waits) turns at \(before) for nothing"))
                            return false
                        }
                        continue
                    }
                    waits = 0
                    standstills = cursor > before ? 0 : standstills + 1
                    guard standstills <= standstillsMax else {
                        said.append(.broken("an event at \(before) that consumed nothing"))
                        return false
                    }
                    note(event, copy(event, bytes.bytes, carried), &partial, &said)
                    guard partial.count <= configuration.limits.messageBytesMax else {
                        said.append(.broken("a message of \(partial.count) bytes"))
                        return false
                    }
                }
                if cursor == bytes.byteCount { return true }
                said.append(.broken("\(cursor) of \(bytes.byteCount) bytes consumed"))
                return false
            } catch {
                said.append(.violation(error))
                if core.closeRequested() == .ignore, core.closeInitiator == nil {
                    said.append(.broken("a violation without an end"))
                }
                return true
            }
        }
        return said
    }

    private static func copy(
        _ event: ProtocolEvent, _ input: RawSpan, _ carried: borrowing CarriedInput
    ) -> [UInt8] {
        let payload: ProtocolEvent.Payload =
            switch event {
            case .message(_, let payload), .ping(let payload), .pong(let payload): payload
            case .piece(let piece): piece.payload
            case .close(let close): close.reason
            }
        switch payload {
        case .input(let range): return input.extracting(range).withUnsafeBytes { Array($0) }
        case .kept: return Array(carried.keptPayload)
        }
    }

    private static func note(
        _ event: ProtocolEvent, _ bytes: [UInt8], _ partial: inout [UInt8], _ said: inout [Said]
    ) {
        switch event {
        case .message(let kind, _): said.append(.message(kind, bytes))
        case .piece(let piece):
            if piece.isFirst { partial = [] }
            partial += bytes
            if piece.isLast { said.append(.message(piece.kind, partial)) }
        case .ping: said.append(.ping(bytes))
        case .pong: said.append(.pong(bytes))
        case .close(let close): said.append(.close(close.code, bytes))
        }
    }

    private static func encoded(_ header: FrameHeader) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: FrameHeader.bytesMax) { buffer, count in
            // Room for the longest header.
            if let base = UnsafeMutableRawBufferPointer(buffer).baseAddress {
                count = FrameEncoder.encodeHeader(header, into: base)
            }
        }
    }

    /// The headers that a decoder alone finds, and the violation that ends them.
    private static func headers(
        of stream: [UInt8], _ role: Role, _ limits: ProtocolLimits, _ cuts: Cuts,
        _ agreed: PerMessageDeflate?
    ) -> [String] {
        var headers: [String] = []
        var payloadBytes = 0
        var decoder = FrameDecoder(role: role)
        cuts.forEachPiece(of: stream) { piece in
            var cursor = 0
            do throws(ProtocolViolation) {
                while true {
                    let start = cursor
                    let event = try decoder.next(
                        in: piece.span.bytes, at: &cursor, limits: limits, compression: agreed)
                    switch event {
                    case .header(let header):
                        headers.append("\(header)")
                        // A valid header has one form only: its parts, encoded, give its bytes.
                        if case .none = cuts, encoded(header) != Array(piece[start..<cursor]) {
                            headers.append("not canonical: \(piece[start..<cursor])")
                        }
                    case .payload(let range, _, _): payloadBytes += range.count
                    case nil: return true
                    }
                }
            } catch {
                headers.append("\(error)")
                return false
            }
        }
        return headers + ["\(payloadBytes) bytes of payload"]
    }
}
