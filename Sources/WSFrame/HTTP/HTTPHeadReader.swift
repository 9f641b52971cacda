/// Collects the lines of a request's or a response's head (RFC 9112 §2.2, §5).
///
/// Keeps the bytes it is given until the head is complete, and looks at each a constant number of
/// times, however small the pieces are.
struct HTTPHeadReader: Sendable {
    private let limits: HTTPLimits
    /// The lines so far, with their ends.
    private(set) var bytes: [UInt8] = []
    private(set) var fields: [HTTPFields.Field] = []
    /// Whether the request line or status line is not complete.
    private(set) var isInFirstLine = true
    /// Where in `bytes` the current line begins.
    private var lineStart = 0
    /// How many times a byte was looked at so far; the measure of linearity.
    private(set) var bytesExamined = 0

    init(limits: HTTPLimits) {
        self.limits = limits
    }

    /// Reads on to the end of a line.
    ///
    /// - Returns: Where in ``bytes`` the line lies, without its end; `nil` if `input` ends before.
    mutating func nextLine(
        in input: UnsafeRawBufferPointer,
        at cursor: inout Int
    ) throws(HTTPParseError) -> Range<Int>? {
        while cursor < input.count {
            let stop = HTTPSyntax.firstControlByte(in: input, from: cursor)
            bytesExamined += min(stop + 1, input.count) - cursor
            try append(UnsafeRawBufferPointer(rebasing: input[cursor..<stop]))
            cursor = stop
            guard stop < input.count else { break }
            let control = input[stop]
            cursor += 1
            if control == 0x0D, !endsInCR {
                bytes.append(control)
                try checkHeadBytes()
            } else if control == 0x0A, endsInCR {
                bytes.append(control)
                try checkHeadBytes()
                let line = lineStart..<(bytes.count - 2)
                lineStart = bytes.count
                bytesExamined += line.count
                return line
            } else {
                throw HTTPParseError(.controlByte(control))
            }
        }
        return nil
    }

    /// Forgets an empty line before the first (RFC 9112 §2.2).
    mutating func skipEmptyLine() {
        bytes.removeAll(keepingCapacity: true)
        lineStart = 0
    }

    /// Takes the line just read as the first; header lines follow.
    mutating func firstLineRead() { isInFirstLine = false }

    /// Takes the line just read as a header (RFC 9112 §5).
    mutating func headerRead(_ line: Range<Int>) throws(HTTPParseError) {
        guard fields.count < limits.headersMax else {
            throw HTTPParseError(.excessiveHeaders(max: limits.headersMax))
        }
        // Most heads have no more, and grow it once.
        if fields.isEmpty { fields.reserveCapacity(min(16, limits.headersMax)) }
        fields.append(try readHeader(line))
    }

    func string(_ slice: HTTPFields.Slice) -> String {
        String(decoding: bytes[Int(slice.lower)..<Int(slice.upper)], as: UTF8.self)
    }

    static func slice(_ range: Range<Int>) -> HTTPFields.Slice {
        HTTPFields.Slice(lower: Int32(range.lowerBound), upper: Int32(range.upperBound))
    }

    /// Whether a CR was the last byte of the line so far; only an LF may follow it.
    private var endsInCR: Bool { bytes.count > lineStart && bytes.last == 0x0D }

    /// Adds bytes without a line end to the current line.
    private mutating func append(_ added: UnsafeRawBufferPointer) throws(HTTPParseError) {
        if added.isEmpty { return }
        guard !endsInCR else { throw HTTPParseError(.controlByte(0x0D)) }
        // Of two bounds that these bytes pass, the one passed first counts, as if they came singly.
        let lineBytesMax = isInFirstLine ? limits.requestLineBytesMax : limits.headerLineBytesMax
        let lineRoom = lineBytesMax - (bytes.count - lineStart)
        let headRoom = limits.headBytesMax - bytes.count
        guard added.count <= min(lineRoom, headRoom) else {
            if headRoom < lineRoom {
                throw HTTPParseError(.oversizedHead(max: limits.headBytesMax))
            }
            throw HTTPParseError(
                isInFirstLine
                    ? .oversizedRequestLine(max: lineBytesMax)
                    : .oversizedHeaderLine(max: lineBytesMax))
        }
        if bytes.capacity == 0 { bytes.reserveCapacity(min(1024, limits.headBytesMax)) }
        bytes.append(contentsOf: added)
    }

    private func checkHeadBytes() throws(HTTPParseError) {
        guard bytes.count <= limits.headBytesMax else {
            throw HTTPParseError(.oversizedHead(max: limits.headBytesMax))
        }
    }

    private func readHeader(_ line: Range<Int>) throws(HTTPParseError) -> HTTPFields.Field {
        guard !HTTPSyntax.isWhitespace(bytes[line.lowerBound]) else {
            throw HTTPParseError(.foldedHeader)
        }
        var colon = line.lowerBound
        while colon < line.upperBound, HTTPSyntax.isTokenByte(bytes[colon]) { colon += 1 }
        guard colon < line.upperBound, colon > line.lowerBound, bytes[colon] == 0x3A else {
            let isSpace = colon < line.upperBound && HTTPSyntax.isWhitespace(bytes[colon])
            throw HTTPParseError(isSpace ? .whitespaceBeforeColon : .malformedHeader)
        }
        var lower = colon + 1
        var upper = line.upperBound
        while lower < upper, HTTPSyntax.isWhitespace(bytes[lower]) { lower += 1 }
        while upper > lower, HTTPSyntax.isWhitespace(bytes[upper - 1]) { upper -= 1 }
        return HTTPFields.Field(
            name: Self.slice(line.lowerBound..<colon), value: Self.slice(lower..<upper))
    }
}
