/// Reads the head of an HTTP/1.1 request (RFC 9112 §2–§5), for plain requests and upgrades.
///
/// Keeps the bytes it is given until the head is complete, and looks at each a constant number of
/// times, however small the pieces are. What follows the head is left to the caller.
///
///     requestLine ──line──▶ headerLines ──empty line──▶ (request), requestLine
///          └──────────────error──┴──▶ failed
public struct HTTPRequestParser: Sendable {
    /// The outcome of ``parse(_:)``.
    public enum OnBytes: Sendable {
        /// All bytes are consumed, and the head is not complete.
        case needsMore
        /// The head is complete after `consumed` of the bytes; the rest belongs to what follows it.
        case request(HTTPRequest, consumed: Int)
    }

    private struct RequestLine: Sendable {
        var method = HTTPRequest.Slice(lower: 0, upper: 0)
        var target = HTTPRequest.Slice(lower: 0, upper: 0)
        var version = HTTPVersion.http11
    }

    private let limits: HTTPLimits
    private let screen: HTTPScreen?
    private var reader: HTTPHeadReader
    private var requestLine = RequestLine()
    private var skippedEmptyLine = false
    private var hasFailed = false

    /// How many times a byte was looked at so far; the measure of linearity.
    package var bytesExamined: Int { reader.bytesExamined }

    /// - Parameters:
    ///   - limits: Bounds of each request's head.
    ///   - screen: May refuse a request before its head is complete.
    public init(limits: HTTPLimits = HTTPLimits(), screen: HTTPScreen? = nil) {
        self.limits = limits
        self.screen = screen
        reader = HTTPHeadReader(limits: limits)
    }

    /// Whether no byte of a request has come yet.
    public var isIdle: Bool { reader.isInFirstLine && reader.bytes.isEmpty && !hasFailed }

    /// Reads on.
    ///
    /// After a complete head the parser is as new, and ready for the next request.
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
            self = HTTPRequestParser(limits: limits, screen: screen)
            hasFailed = true
            throw error
        }
    }

    private mutating func parse(_ input: UnsafeRawBufferPointer) throws(HTTPParseError) -> OnBytes {
        // What a screen looks at has to be read line by line.
        if screen == nil, !skippedEmptyLine, let whole = reader.whole(in: input),
            // Why it is refused is said there too.
            let line = try? Self.readRequestLine(whole.firstLine, of: input)
        {
            let request = try HTTPRequest(
                head: Array(input[..<whole.bytes]), method: line.method, target: line.target,
                version: line.version, fields: whole.fields)
            reader = HTTPHeadReader(limits: limits)
            return .request(request, consumed: whole.bytes)
        }
        var cursor = 0
        while let line = try reader.nextLine(in: input, at: &cursor) {
            if let request = try lineEnded(line) { return .request(request, consumed: cursor) }
        }
        return .needsMore
    }

    private mutating func lineEnded(_ line: Range<Int>) throws(HTTPParseError) -> HTTPRequest? {
        if reader.isInFirstLine {
            if line.isEmpty, !skippedEmptyLine {
                // One empty line before the request is tolerated (RFC 9112 §2.2).
                skippedEmptyLine = true
                reader.skipEmptyLine()
                return nil
            }
            requestLine = try readRequestLine(line)
            reader.firstLineRead()
            if let screen {
                let method = HTTPMethod(rawValue: reader.string(requestLine.method))
                let target = reader.string(requestLine.target)
                try Self.check(screen(.request(method, target: target)))
            }
            return nil
        }
        guard line.isEmpty else {
            try reader.headerRead(line)
            if let screen, let field = reader.fields.last {
                let (name, value) = (reader.string(field.name), reader.string(field.value))
                try Self.check(screen(.header(name: name, value: value)))
            }
            return nil
        }
        let request = try HTTPRequest(
            head: reader.bytes,
            method: requestLine.method,
            target: requestLine.target,
            version: requestLine.version,
            fields: reader.fields
        )
        self = HTTPRequestParser(limits: limits, screen: screen)
        return request
    }

    private static func check(_ status: HTTPStatus?) throws(HTTPParseError) {
        guard let status else { return }
        precondition(
            (400...599).contains(status.rawValue), "a request is refused with status \(status)")
        throw HTTPParseError(.refused(status))
    }

    // MARK: - Lines

    private func readRequestLine(_ line: Range<Int>) throws(HTTPParseError) -> RequestLine {
        try reader.bytes.span.bytes.withUnsafeBytes { (head) throws(HTTPParseError) in
            try Self.readRequestLine(line, of: head)
        }
    }

    private static func readRequestLine(
        _ line: Range<Int>, of head: UnsafeRawBufferPointer
    ) throws(HTTPParseError) -> RequestLine {
        var (firstSpace, lastSpace) = (line.lowerBound, line.upperBound - 1)
        while firstSpace < line.upperBound, head[firstSpace] != 0x20 { firstSpace += 1 }
        while lastSpace > firstSpace, head[lastSpace] != 0x20 { lastSpace -= 1 }
        guard firstSpace < lastSpace else { throw HTTPParseError(.malformedRequestLine) }
        var read = RequestLine()
        read.method = HTTPHeadReader.slice(line.lowerBound..<firstSpace)
        read.target = HTTPHeadReader.slice((firstSpace + 1)..<lastSpace)
        let method = head.slice(read.method)
        guard HTTPSyntax.isToken(method) else { throw HTTPParseError(.malformedRequestLine) }
        try checkTarget(
            head.slice(read.target), isConnect: HTTPSyntax.equals(method, "CONNECT"))
        let version = HTTPHeadReader.slice((lastSpace + 1)..<line.upperBound)
        read.version = try readVersion(head.slice(version))
        return read
    }

    /// Origin, absolute, authority or asterisk form, of visible ASCII without a fragment (RFC 9112
    /// §3.2).
    private static func checkTarget(
        _ target: UnsafeRawBufferPointer, isConnect: Bool
    ) throws(HTTPParseError) {
        guard let first = target.first, target.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 })
        else {
            throw HTTPParseError(.malformedTarget)
        }
        if first == 0x2F || HTTPSyntax.equals(target, "*") || isConnect { return }
        let scheme = target.prefix { $0 != 0x3A }.map(HTTPSyntax.lowercased)
        let rest = target.dropFirst(scheme.count)
        guard ["http", "https", "ws", "wss"].contains(where: { scheme.elementsEqual($0.utf8) }),
            rest.starts(with: "://".utf8)
        else {
            throw HTTPParseError(.malformedTarget)
        }
        let isValid =
            HTTPHost.authority(of: target).map {
                !$0.bytes.isEmpty && HTTPHost.isValid($0.bytes)
            } ?? false
        guard isValid else { throw HTTPParseError(.malformedTarget) }
    }

    private static func readVersion(
        _ version: UnsafeRawBufferPointer
    ) throws(HTTPParseError) -> HTTPVersion {
        if HTTPSyntax.equals(version, "HTTP/1.1") { return .http11 }
        if HTTPSyntax.equals(version, "HTTP/1.0") { return .http10 }
        let digits = version.dropFirst(5)
        guard version.starts(with: "HTTP/".utf8), digits.count == 3,
            digits.enumerated().allSatisfy({ index, byte in
                index == 1 ? byte == 0x2E : byte >= 0x30 && byte <= 0x39
            })
        else {
            throw HTTPParseError(.malformedRequestLine)
        }
        throw HTTPParseError(.unsupportedVersion)
    }
}
