/// Collects the lines of a request's or a response's head (RFC 9112 §2.2, §5).
///
/// Keeps the bytes it is given until the head is complete, and looks at each a constant number of
/// times, however small the pieces are.
struct HTTPHeadReader: Sendable {
    /// A whole head: where its first line lies without its end, its header lines, and how many bytes it takes.
    typealias Whole = (firstLine: Range<Int>, fields: [HTTPFields.Field], bytes: Int)

    /// Most heads have no more header lines, so that their list grows once.
    private static let fieldsUsual = 16

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

    /// Reads the head that `input` begins with, where all of it is there and nothing in it is to be refused: as most
    /// heads come. Keeps nothing, and is tried once for a head.
    ///
    /// - Returns: `nil` for any other, which ``nextLine(in:at:)`` and what follows it judge.
    mutating func whole(in input: UnsafeRawBufferPointer) -> Whole? {
        // The shortest head is a request line of 12 bytes and two line ends.
        guard isInFirstLine, bytes.isEmpty, input.count >= 16 else { return nil }
        let input = UnsafeRawBufferPointer(
            rebasing: input[..<min(input.count, limits.headBytesMax)])
        var start = 0
        var firstLine = 0..<0
        var fields: [HTTPFields.Field] = []
        while start < input.count {
            let stop = HTTPSyntax.firstControlByte(in: input, from: start)
            bytesExamined += min(stop + 2, input.count) - start
            guard stop + 1 < input.count, input[stop] == 0x0D, input[stop + 1] == 0x0A else {
                return nil
            }
            bytesExamined += stop - start
            if start == 0 {
                guard stop > 0, stop <= limits.requestLineBytesMax else { return nil }
                firstLine = 0..<stop
                fields.reserveCapacity(min(Self.fieldsUsual, limits.headersMax))
            } else if start == stop {
                return (firstLine, fields, stop + 2)
            } else {
                guard stop - start <= limits.headerLineBytesMax, fields.count < limits.headersMax,
                    // Why it is refused is said line by line.
                    let field = try? Self.readHeader(start..<stop, of: input)
                else { return nil }
                fields.append(field)
            }
            start = stop + 2
        }
        return nil
    }

    /// Reads on to the end of a line.
    ///
    /// - Returns: Where in ``bytes`` the line lies, without its end; `nil` if `input` ends before.
    mutating func nextLine(
        in input: UnsafeRawBufferPointer,
        at cursor: inout Int
    ) throws(HTTPParseError) -> Range<Int>? {
        guard let base = input.baseAddress else { return nil }
        while cursor < input.count {
            let stop = HTTPSyntax.firstControlByte(in: input, from: cursor)
            if stop + 1 < input.count, input[stop] == 0x0D, input[stop + 1] == 0x0A, !endsInCR {
                // The rest of the line is here with its end, as most are.
                bytesExamined += stop + 2 - cursor
                try checkRoom(for: stop - cursor)
                // unsafe: the bytes to `stop`, and the two looked at, lie within `input`.
                append(UnsafeRawBufferPointer(start: base + cursor, count: stop + 2 - cursor))
                try checkHeadBytes()
                cursor = stop + 2
                return endLine()
            }
            bytesExamined += min(stop + 1, input.count) - cursor
            if stop > cursor {
                guard !endsInCR else { throw HTTPParseError(.controlByte(0x0D)) }
                try checkRoom(for: stop - cursor)
                append(UnsafeRawBufferPointer(rebasing: input[cursor..<stop]))
            }
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
                return endLine()
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
        if fields.isEmpty { fields.reserveCapacity(min(Self.fieldsUsual, limits.headersMax)) }
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

    /// The line whose end was added last.
    @inline(__always)
    private mutating func endLine() -> Range<Int> {
        let line = lineStart..<(bytes.count - 2)
        lineStart = bytes.count
        bytesExamined += line.count
        return line
    }

    private mutating func append(_ added: UnsafeRawBufferPointer) {
        // With an array's own 32 bytes not more than what malloc keeps at hand for each thread.
        if bytes.capacity == 0 { bytes.reserveCapacity(min(960, limits.headBytesMax)) }
        bytes.append(contentsOf: added)
    }

    /// Checks that the current line may have so many bytes more, its end not counted.
    @inline(__always)
    private func checkRoom(for count: Int) throws(HTTPParseError) {
        // Of two bounds that these bytes pass, the one passed first counts, as if they came singly.
        let lineBytesMax = isInFirstLine ? limits.requestLineBytesMax : limits.headerLineBytesMax
        let lineRoom = lineBytesMax - (bytes.count - lineStart)
        let headRoom = limits.headBytesMax - bytes.count
        guard count <= min(lineRoom, headRoom) else {
            if headRoom < lineRoom {
                throw HTTPParseError(.oversizedHead(max: limits.headBytesMax))
            }
            throw HTTPParseError(
                isInFirstLine
                    ? .oversizedRequestLine(max: lineBytesMax)
                    : .oversizedHeaderLine(max: lineBytesMax))
        }
    }

    private func checkHeadBytes() throws(HTTPParseError) {
        guard bytes.count <= limits.headBytesMax else {
            throw HTTPParseError(.oversizedHead(max: limits.headBytesMax))
        }
    }

    private func readHeader(_ line: Range<Int>) throws(HTTPParseError) -> HTTPFields.Field {
        try bytes.span.bytes.withUnsafeBytes { (bytes) throws(HTTPParseError) in
            try Self.readHeader(line, of: bytes)
        }
    }

    private static func readHeader(
        _ line: Range<Int>, of bytes: UnsafeRawBufferPointer
    ) throws(HTTPParseError) -> HTTPFields.Field {
        guard !HTTPSyntax.isWhitespace(bytes[line.lowerBound]) else {
            throw HTTPParseError(.foldedHeader)
        }
        let colon = HTTPSyntax.firstColon(in: bytes, line)
        let name = slice(line.lowerBound..<colon)
        // A name that is known is a token.
        let known = HTTPFieldName(bytes.slice(name))
        if known == .other || colon == line.upperBound {
            // Behind the line stands its end, which no token goes over.
            let end = HTTPSyntax.tokenEnd(in: bytes, from: line.lowerBound)
            guard end == colon, colon < line.upperBound, colon > line.lowerBound else {
                let isSpace = end < line.upperBound && HTTPSyntax.isWhitespace(bytes[end])
                throw HTTPParseError(isSpace ? .whitespaceBeforeColon : .malformedHeader)
            }
        }
        var lower = colon + 1
        var upper = line.upperBound
        while lower < upper, HTTPSyntax.isWhitespace(bytes[lower]) { lower += 1 }
        while upper > lower, HTTPSyntax.isWhitespace(bytes[upper - 1]) { upper -= 1 }
        return HTTPFields.Field(name: name, value: slice(lower..<upper), known: known)
    }
}
