/// Reads the body of a message as it is delimited (RFC 9112 §6, §7.1).
///
/// Performs no I/O, keeps no byte of the body, and looks at each byte of its framing once, however
/// small the pieces are. Strict, because two readers that disagree on where a body ends are how
/// requests are smuggled: lines end in CRLF only, a size is hexadecimal digits and nothing else, and
/// what is not a chunk's data is bounded.
///
///     counted ──all bytes──▶ ended
///
///     size ──▶ (whitespace ──▶ extension) ──▶ lineEnd ──▶ data ──▶ dataEnd ──▶ size
///                                                │ size 0
///                                                ▼
///                                            trailers ──empty line──▶ ended
public struct HTTPBodyDecoder: Sendable {
    /// The outcome of ``next(in:at:)``.
    public enum Event: Hashable, Sendable {
        /// These bytes of the input belong to the body; at least one.
        case bytes(Range<Int>)
        /// The body is complete.
        case end
    }

    private enum State: Sendable {
        case counted(remaining: Int)
        case size(digits: Int, value: Int)
        case whitespace(size: Int)
        case chunkExtension(size: Int)
        case lineEnd(size: Int)
        case data(remaining: Int)
        case dataEnd(hasCR: Bool)
        case trailers(HTTPHeadReader)
        case ended
        case failed
    }

    private let limits: HTTPLimits
    private let bodyBytesMax: Int
    private var state: State
    /// Of the body, announced so far.
    private var bodyBytes = 0
    /// Of the current chunk's size and extensions.
    private var lineBytes = 0
    /// Of all chunks' extensions.
    private var extensionBytes = 0
    private var trailerFields: HTTPFields?

    /// - Parameters:
    ///   - body: How the body is delimited.
    ///   - limits: Bounds of chunks' sizes and extensions, and, as those of a head, of trailers.
    ///   - bodyBytesMax: The longest body; by default ``HTTPLimits/bodyBytesMax``.
    public init(
        _ body: HTTPRequest.Body, limits: HTTPLimits = HTTPLimits(), bodyBytesMax: Int? = nil
    ) {
        self.limits = limits
        self.bodyBytesMax = bodyBytesMax ?? limits.bodyBytesMax
        precondition(self.bodyBytesMax >= 0, "bodies of at most \(self.bodyBytesMax) bytes")
        state =
            switch body {
            case .none: .counted(remaining: 0)
            case .bytes(let count): .counted(remaining: count)
            case .chunked: .size(digits: 0, value: 0)
            }
    }

    /// The fields that came behind a chunked body, once it is complete, in their order.
    ///
    /// They are no headers, and must not be taken for them (RFC 9110 §6.5.1).
    public var trailers: [(name: String, value: String)] {
        guard let trailerFields else { return [] }
        return (0..<trailerFields.count).map { trailerFields.header(at: $0) }
    }

    /// Decodes one event from `input`, starting at `cursor`.
    ///
    /// - Parameters:
    ///   - input: Bytes received and not yet consumed.
    ///   - cursor: Offset of the first unconsumed byte; advanced past what was read.
    /// - Returns: The event, or `nil` once all of `input` is consumed and the body not complete.
    ///   After ``Event/end``, later calls are a programmer error.
    /// - Throws: ``HTTPParseError``. Later calls are a programmer error.
    public mutating func next(
        in input: RawSpan, at cursor: inout Int
    ) throws(HTTPParseError) -> Event? {
        do throws(HTTPParseError) {
            return try input.withUnsafeBytes { (bytes) throws(HTTPParseError) in
                try step(bytes, &cursor)
            }
        } catch {
            state = .failed
            throw error
        }
    }

    private mutating func step(
        _ input: UnsafeRawBufferPointer, _ cursor: inout Int
    ) throws(HTTPParseError) -> Event? {
        while true {
            switch state {
            case .counted(let remaining):
                guard remaining <= bodyBytesMax else {
                    throw HTTPParseError(.oversizedBody(max: bodyBytesMax))
                }
                guard remaining > 0 else {
                    state = .ended
                    return .end
                }
                guard let range = take(remaining, input, &cursor) else { return nil }
                state = .counted(remaining: remaining - range.count)
                return .bytes(range)
            case .data(let remaining):
                guard let range = take(remaining, input, &cursor) else { return nil }
                let left = remaining - range.count
                state = left == 0 ? .dataEnd(hasCR: false) : .data(remaining: left)
                return .bytes(range)
            case .trailers(var reader):
                // Taken out while it is changed, so that its bytes are not copied.
                state = .failed
                guard try readTrailers(&reader, input, &cursor) else {
                    state = .trailers(reader)
                    return nil
                }
                state = .ended
                return .end
            case .size, .whitespace, .chunkExtension, .lineEnd, .dataEnd:
                guard cursor < input.count else { return nil }
                let byte = input[cursor]
                cursor += 1
                try readFraming(byte)
            case .ended, .failed:
                preconditionFailure("next(in:at:) called on a body that is \(state)")
            }
        }
    }

    private func take(
        _ remaining: Int, _ input: UnsafeRawBufferPointer, _ cursor: inout Int
    ) -> Range<Int>? {
        let count = min(remaining, input.count - cursor)
        guard count > 0 else { return nil }
        defer { cursor += count }
        return cursor..<(cursor + count)
    }

    // MARK: - Chunks

    private mutating func readFraming(_ byte: UInt8) throws(HTTPParseError) {
        switch state {
        case .size(let digits, let value):
            try countLineByte(byte)
            if let digit = Self.hexDigit(byte) {
                // Sixteen digits do not fit; leading zeros count, too.
                guard digits < 15 else { throw HTTPParseError(.malformedChunk) }
                state = .size(digits: digits + 1, value: value << 4 | digit)
            } else {
                guard digits > 0 else { throw HTTPParseError(.malformedChunk) }
                try sizeEnded(value, byte)
            }
        case .whitespace(let size):
            try countLineByte(byte)
            try countExtensionByte()
            if byte == 0x3B {
                state = .chunkExtension(size: size)
            } else if !HTTPSyntax.isWhitespace(byte) {
                throw HTTPParseError(.malformedChunk)
            }
        case .chunkExtension(let size):
            try countLineByte(byte)
            if byte == 0x0D {
                state = .lineEnd(size: size)
            } else if byte < 0x20 && byte != 0x09 || byte == 0x7F {
                throw HTTPParseError(.controlByte(byte))
            } else {
                try countExtensionByte()
            }
        case .lineEnd(let size):
            guard byte == 0x0A else { throw HTTPParseError(.controlByte(0x0D)) }
            try lineEnded(size)
        case .dataEnd(let hasCR):
            guard byte == (hasCR ? 0x0A : 0x0D) else { throw HTTPParseError(.malformedChunk) }
            state = hasCR ? .size(digits: 0, value: 0) : .dataEnd(hasCR: true)
        case .counted, .data, .trailers, .ended, .failed:
            preconditionFailure("a byte of framing while \(state)")
        }
    }

    private mutating func sizeEnded(_ size: Int, _ byte: UInt8) throws(HTTPParseError) {
        switch byte {
        case 0x0D: state = .lineEnd(size: size)
        case 0x3B:
            try countExtensionByte()
            state = .chunkExtension(size: size)
        case 0x20, 0x09:
            try countExtensionByte()
            state = .whitespace(size: size)
        default: throw HTTPParseError(.malformedChunk)
        }
    }

    private mutating func lineEnded(_ size: Int) throws(HTTPParseError) {
        lineBytes = 0
        guard size > 0 else {
            var reader = HTTPHeadReader(limits: limits)
            reader.firstLineRead()
            state = .trailers(reader)
            return
        }
        guard size <= bodyBytesMax - bodyBytes else {
            throw HTTPParseError(.oversizedBody(max: bodyBytesMax))
        }
        bodyBytes += size
        state = .data(remaining: size)
    }

    private mutating func countLineByte(_ byte: UInt8) throws(HTTPParseError) {
        lineBytes += 1
        guard lineBytes <= limits.chunkLineBytesMax || byte == 0x0D else {
            throw HTTPParseError(.oversizedChunkLine(max: limits.chunkLineBytesMax))
        }
    }

    private mutating func countExtensionByte() throws(HTTPParseError) {
        extensionBytes += 1
        guard extensionBytes <= limits.chunkExtensionsBytesMax else {
            throw HTTPParseError(.oversizedChunkExtensions(max: limits.chunkExtensionsBytesMax))
        }
    }

    /// Whether the trailers are complete.
    private mutating func readTrailers(
        _ reader: inout HTTPHeadReader, _ input: UnsafeRawBufferPointer, _ cursor: inout Int
    ) throws(HTTPParseError) -> Bool {
        while let line = try reader.nextLine(in: input, at: &cursor) {
            guard line.isEmpty else {
                try reader.headerRead(line)
                continue
            }
            if !reader.fields.isEmpty {
                trailerFields = HTTPFields(head: reader.bytes, fields: reader.fields)
            }
            return true
        }
        return false
    }

    private static func hexDigit(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte - 0x30)
        case 0x41...0x46: Int(byte - 0x37)
        case 0x61...0x66: Int(byte - 0x57)
        default: nil
        }
    }
}
