/// Reads the head of an HTTP/1.1 response (RFC 9112 §4, §5), as strictly as
/// ``HTTPRequestParser`` reads requests.
///
/// Keeps the bytes it is given until the head is complete, and looks at each a constant number of
/// times, however small the pieces are. What follows the head is left to the caller.
public struct HTTPResponseParser: Sendable {
    /// The outcome of ``parse(_:)``.
    public enum OnBytes: Sendable {
        /// All bytes are consumed, and the head is not complete.
        case needsMore
        /// The head is complete after `consumed` of the bytes; the rest belongs to what follows it.
        case response(HTTPResponseHead, consumed: Int)
    }

    private let limits: HTTPLimits
    private var reader: HTTPHeadReader
    private var statusLine: (version: HTTPVersion, status: HTTPStatus)?
    private var hasFailed = false

    /// How many times a byte was looked at so far; the measure of linearity.
    package var bytesExamined: Int { reader.bytesExamined }

    /// - Parameter limits: ``HTTPLimits/requestLineBytesMax`` bounds the status line.
    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        reader = HTTPHeadReader(limits: limits)
    }

    /// Reads on.
    ///
    /// After a complete head the parser is as new, and ready for the next response.
    ///
    /// - Parameter bytes: What came behind the bytes of the previous call.
    /// - Returns: Whether the head is complete.
    /// - Throws: ``HTTPParseError``. Later calls are a programmer error.
    public mutating func parse(_ bytes: RawSpan) throws(HTTPParseError) -> OnBytes {
        precondition(!hasFailed, "parser used after an HTTPParseError")
        do throws(HTTPParseError) {
            return try bytes.withUnsafeBytes { (buffer) throws(HTTPParseError) in
                try parse(buffer)
            }
        } catch {
            self = HTTPResponseParser(limits: limits)
            hasFailed = true
            throw error
        }
    }

    private mutating func parse(_ input: UnsafeRawBufferPointer) throws(HTTPParseError) -> OnBytes {
        var cursor = 0
        while let line = try reader.nextLine(in: input, at: &cursor) {
            guard let statusLine else {
                statusLine = try readStatusLine(reader.bytes[line])
                reader.firstLineRead()
                continue
            }
            guard line.isEmpty else {
                try reader.headerRead(line)
                continue
            }
            let head = HTTPResponseHead(
                version: statusLine.version,
                status: statusLine.status,
                fields: HTTPFields(head: reader.bytes, fields: reader.fields)
            )
            self = HTTPResponseParser(limits: limits)
            return .response(head, consumed: cursor)
        }
        return .needsMore
    }

    /// Reads `HTTP/1.1 101 Switching Protocols`; the phrase, and the space before it, may be
    /// missing.
    private func readStatusLine(
        _ line: ArraySlice<UInt8>
    ) throws(HTTPParseError) -> (HTTPVersion, HTTPStatus) {
        guard line.starts(with: "HTTP/".utf8) else { throw HTTPParseError(.malformedStatusLine) }
        let version: HTTPVersion
        if line.starts(with: "HTTP/1.1 ".utf8) {
            version = .http11
        } else if line.starts(with: "HTTP/1.0 ".utf8) {
            version = .http10
        } else {
            throw HTTPParseError(.unsupportedVersion)
        }
        let rest = line.dropFirst(9)
        let digits = rest.prefix { $0 != 0x20 }
        guard digits.count == 3, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            throw HTTPParseError(.malformedStatusLine)
        }
        let number = digits.reduce(0 as UInt16) { $0 * 10 + UInt16($1 - 0x30) }
        guard number >= 100 else { throw HTTPParseError(.malformedStatusLine) }
        return (version, HTTPStatus(rawValue: number))
    }
}
