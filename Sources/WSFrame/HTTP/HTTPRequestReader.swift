/// Reads the requests of one connection, heads and bodies, one behind the other (RFC 9112 §6, §9.3).
///
/// Performs no I/O and keeps no byte of a body. Each request is a head, its body's bytes and an end;
/// what the bytes say is the same however they are cut.
///
///     awaitingHead ──head──▶ inBody ──end──▶ awaitingHead
///          └────────error───────┴──▶ failed: answer, and close the connection
public struct HTTPRequestReader: Sendable {
    /// The outcome of ``next(in:at:)``.
    public enum Event: Sendable {
        /// A head is complete; its body follows, or at once its end.
        case head(HTTPRequest)
        /// These bytes of the input belong to the body; at least one.
        case body(Range<Int>)
        /// The request is complete.
        case end
    }

    private let limits: HTTPLimits
    private var parser: HTTPRequestParser
    private var body: HTTPBodyDecoder?

    /// - Parameters:
    ///   - limits: Bounds of each request.
    ///   - screen: May refuse a request before its head is complete.
    public init(limits: HTTPLimits = HTTPLimits(), screen: HTTPScreen? = nil) {
        self.limits = limits
        parser = HTTPRequestParser(limits: limits, screen: screen)
    }

    /// Whether no byte of a next request has come.
    public var isIdle: Bool { body == nil && parser.isIdle }

    /// The fields behind the body, between its last byte and the next head.
    ///
    /// See ``HTTPBodyDecoder/trailers``.
    public private(set) var trailers: [(name: String, value: String)] = []

    /// Bounds the body of the request whose head was read last, instead of
    /// ``HTTPLimits/bodyBytesMax``.
    ///
    /// - Precondition: Nothing was read since ``Event/head(_:)``.
    public mutating func limitBody(of request: HTTPRequest, to bodyBytesMax: Int) {
        precondition(body != nil, "a limit for the body of a request that is over")
        body = HTTPBodyDecoder(request.body, limits: limits, bodyBytesMax: bodyBytesMax)
    }

    /// Reads one event from `input`, starting at `cursor`.
    ///
    /// - Parameters:
    ///   - input: Bytes received and not yet consumed.
    ///   - cursor: Offset of the first unconsumed byte; advanced past what was read.
    /// - Returns: The event, or `nil` once all of `input` is consumed.
    /// - Throws: ``HTTPParseError``. Later calls are a programmer error.
    public mutating func next(
        in input: RawSpan, at cursor: inout Int
    ) throws(HTTPParseError) -> Event? {
        if body != nil {
            switch try body?.next(in: input, at: &cursor) {
            case nil: return nil
            case .bytes(let range): return .body(range)
            case .end:
                trailers = body?.trailers ?? []
                body = nil
                return .end
            }
        }
        guard cursor < input.byteCount else { return nil }
        switch try parser.parse(input.extracting(droppingFirst: cursor)) {
        case .needsMore:
            cursor = input.byteCount
            return nil
        case .request(let request, let consumed):
            cursor += consumed
            trailers = []
            body = HTTPBodyDecoder(request.body, limits: limits)
            return .head(request)
        }
    }
}
