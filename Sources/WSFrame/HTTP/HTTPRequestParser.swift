/// Reads the head of an HTTP/1.1 request (RFC 9112 §2–§5), for plain requests and upgrades.
///
/// Keeps the bytes it is given until the head is complete, and looks at each a constant number of times,
/// however small the pieces are. What follows the head is left to the caller.
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

    private enum State: Hashable, Sendable {
        case requestLine
        case headerLines
        case failed
    }

    private struct RequestLine: Sendable {
        var method = HTTPRequest.Slice(lower: 0, upper: 0)
        var target = HTTPRequest.Slice(lower: 0, upper: 0)
        var version = HTTPVersion.http11
    }

    private let limits: HTTPLimits
    private var state = State.requestLine
    private var head: [UInt8] = []
    private var requestLine = RequestLine()
    private var fields: [HTTPRequest.Field] = []
    /// Where in `head` the current line begins.
    private var lineStart = 0
    private var skippedEmptyLine = false
    /// How many times a byte was looked at so far; the measure of linearity.
    package private(set) var bytesExamined = 0

    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
    }

    /// Whether no byte of a request has come yet.
    public var isIdle: Bool { state == .requestLine && head.isEmpty }

    /// Reads on.
    ///
    /// After a complete head the parser is as new, and ready for the next request.
    ///
    /// - Parameter bytes: What came behind the bytes of the previous call.
    /// - Returns: Whether the head is complete.
    /// - Throws: ``HTTPParseError``. Later calls are a programmer error.
    public mutating func parse(_ bytes: RawSpan) throws(HTTPParseError) -> OnBytes {
        precondition(state != .failed, "parser used after an HTTPParseError")
        do throws(HTTPParseError) {
            return try bytes.withUnsafeBytes { (buffer) throws(HTTPParseError) in
                try parse(buffer)
            }
        } catch {
            self = HTTPRequestParser(limits: limits)
            state = .failed
            throw error
        }
    }

    private mutating func parse(_ input: UnsafeRawBufferPointer) throws(HTTPParseError) -> OnBytes {
        var cursor = 0
        while cursor < input.count {
            let stop = HTTPSyntax.firstControlByte(in: input, from: cursor)
            bytesExamined += min(stop + 1, input.count) - cursor
            try append(UnsafeRawBufferPointer(rebasing: input[cursor..<stop]))
            cursor = stop
            guard stop < input.count else { break }
            let control = input[stop]
            cursor += 1
            if control == 0x0D, !endsInCR {
                head.append(control)
            } else if control == 0x0A, endsInCR {
                head.append(control)
                if let request = try lineEnded() { return .request(request, consumed: cursor) }
            } else {
                throw HTTPParseError(.controlByte(control))
            }
            try checkHeadBytes()
        }
        return .needsMore
    }

    /// Whether a CR was the last byte of the line so far; only an LF may follow it.
    private var endsInCR: Bool { head.count > lineStart && head.last == 0x0D }

    /// Adds bytes without a line end to the current line.
    private mutating func append(_ bytes: UnsafeRawBufferPointer) throws(HTTPParseError) {
        if bytes.isEmpty { return }
        guard !endsInCR else { throw HTTPParseError(.controlByte(0x0D)) }
        let lineBytes = head.count - lineStart + bytes.count
        switch state {
        case .requestLine:
            guard lineBytes <= limits.requestLineBytesMax else {
                throw HTTPParseError(.oversizedRequestLine(max: limits.requestLineBytesMax))
            }
        case .headerLines:
            guard lineBytes <= limits.headerLineBytesMax else {
                throw HTTPParseError(.oversizedHeaderLine(max: limits.headerLineBytesMax))
            }
        case .failed:
            preconditionFailure("bytes appended in \(state)")
        }
        guard bytes.count <= limits.headBytesMax - head.count else {
            throw HTTPParseError(.oversizedHead(max: limits.headBytesMax))
        }
        if head.capacity == 0 { head.reserveCapacity(min(1024, limits.headBytesMax)) }
        head.append(contentsOf: bytes)
    }

    private func checkHeadBytes() throws(HTTPParseError) {
        guard head.count <= limits.headBytesMax else {
            throw HTTPParseError(.oversizedHead(max: limits.headBytesMax))
        }
    }

    /// Takes the line that CR LF just ended.
    private mutating func lineEnded() throws(HTTPParseError) -> HTTPRequest? {
        let line = lineStart..<(head.count - 2)
        lineStart = head.count
        bytesExamined += line.count
        switch state {
        case .requestLine:
            if line.isEmpty, !skippedEmptyLine {
                // One empty line before the request is tolerated (RFC 9112 §2.2).
                skippedEmptyLine = true
                head.removeAll(keepingCapacity: true)
                lineStart = 0
                return nil
            }
            requestLine = try readRequestLine(line)
            state = .headerLines
            return nil
        case .headerLines:
            guard line.isEmpty else {
                guard fields.count < limits.headersMax else {
                    throw HTTPParseError(.excessiveHeaders(max: limits.headersMax))
                }
                fields.append(try readHeader(line))
                return nil
            }
            try checkHeadBytes()
            let request = try HTTPRequest(
                head: head,
                method: requestLine.method,
                target: requestLine.target,
                version: requestLine.version,
                fields: fields
            )
            self = HTTPRequestParser(limits: limits)
            return request
        case .failed:
            preconditionFailure("line ended in \(state)")
        }
    }

    // MARK: - Lines

    private func readRequestLine(_ line: Range<Int>) throws(HTTPParseError) -> RequestLine {
        guard let firstSpace = head[line].firstIndex(of: 0x20),
            let lastSpace = head[line].lastIndex(of: 0x20), firstSpace < lastSpace
        else {
            throw HTTPParseError(.malformedRequestLine)
        }
        let method = head[line.lowerBound..<firstSpace]
        let target = (firstSpace + 1)..<lastSpace
        let version = head[(lastSpace + 1)..<line.upperBound]
        guard !method.isEmpty, method.allSatisfy(HTTPSyntax.isTokenByte) else {
            throw HTTPParseError(.malformedRequestLine)
        }
        try checkTarget(head[target], isConnect: method.elementsEqual("CONNECT".utf8))
        var line = RequestLine()
        line.method = slice(method.indices)
        line.target = slice(target)
        line.version = try readVersion(version)
        return line
    }

    /// Origin, absolute, authority or asterisk form, of visible ASCII without a fragment (RFC 9112 §3.2).
    private func checkTarget(
        _ target: ArraySlice<UInt8>,
        isConnect: Bool
    ) throws(HTTPParseError) {
        guard let first = target.first, target.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 })
        else {
            throw HTTPParseError(.malformedTarget)
        }
        if first == 0x2F || target.elementsEqual("*".utf8) || isConnect { return }
        let scheme = target.prefix { $0 != 0x3A }.map(HTTPSyntax.lowercased)
        let rest = target.dropFirst(scheme.count)
        guard ["http", "https", "ws", "wss"].contains(where: { scheme.elementsEqual($0.utf8) }),
            rest.starts(with: "://".utf8), rest.count > 3
        else {
            throw HTTPParseError(.malformedTarget)
        }
    }

    private func readVersion(_ version: ArraySlice<UInt8>) throws(HTTPParseError) -> HTTPVersion {
        if version.elementsEqual("HTTP/1.1".utf8) { return .http11 }
        if version.elementsEqual("HTTP/1.0".utf8) { return .http10 }
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

    private func readHeader(_ line: Range<Int>) throws(HTTPParseError) -> HTTPRequest.Field {
        guard !HTTPSyntax.isWhitespace(head[line.lowerBound]) else {
            throw HTTPParseError(.foldedHeader)
        }
        var colon = line.lowerBound
        while colon < line.upperBound, HTTPSyntax.isTokenByte(head[colon]) { colon += 1 }
        guard colon < line.upperBound, colon > line.lowerBound, head[colon] == 0x3A else {
            let isSpace = colon < line.upperBound && HTTPSyntax.isWhitespace(head[colon])
            throw HTTPParseError(isSpace ? .whitespaceBeforeColon : .malformedHeader)
        }
        var lower = colon + 1
        var upper = line.upperBound
        while lower < upper, HTTPSyntax.isWhitespace(head[lower]) { lower += 1 }
        while upper > lower, HTTPSyntax.isWhitespace(head[upper - 1]) { upper -= 1 }
        return HTTPRequest.Field(
            name: slice(line.lowerBound..<colon),
            value: slice(lower..<upper)
        )
    }

    private func slice(_ range: Range<Int>) -> HTTPRequest.Slice {
        HTTPRequest.Slice(lower: Int32(range.lowerBound), upper: Int32(range.upperBound))
    }
}
