/// The client's side of the opening handshake (RFC 6455 §4.1).
///
/// Says what to send and checks the answer; draws no random bytes and performs no I/O.
///
///     awaiting ──101, valid──▶ opened
///        │ └──other 1xx──▶ awaiting
///        └──anything else──▶ failed
public struct WebSocketClientHandshake: Sendable {
    /// The outcome of ``receive(_:)``.
    public enum OnBytes: Sendable {
        /// All bytes are consumed, and the answer is not complete.
        case needsMore
        /// The WebSocket is open; what follows `consumed` of the bytes are frames.
        case opened(WebSocketOpening, consumed: Int)
    }

    /// The most interim responses (RFC 9110 §15.2) before the final one.
    private static let interimResponsesMax = 8

    /// The request to send.
    public let requestBytes: [UInt8]
    private let subprotocols: [String]
    private let offered: CompressionConfiguration?
    private let acceptValue: [UInt8]
    private var parser: HTTPResponseParser
    private var interimResponses = 0

    /// How many times a byte of the response at hand was looked at so far; the measure of linearity.
    package var bytesExamined: Int { parser.bytesExamined }

    /// - Parameters:
    ///   - request: What to ask for.
    ///   - nonce: Sixteen bytes of a cryptographically secure source, fresh for each connection
    ///     (RFC 6455 §4.1).
    ///   - limits: Bounds of the answer's head.
    /// - Throws: ``WebSocketRequestError``
    public init(
        _ request: WebSocketRequest,
        nonce: [16 of UInt8],
        limits: HTTPLimits = HTTPLimits()
    ) throws(WebSocketRequestError) {
        let key = Base64.encode(nonce.indices.map { nonce[$0] })
        requestBytes = try request.encoded(key: key)
        subprotocols = request.subprotocols
        offered = request.compression.configuration
        acceptValue = WebSocketHandshake.acceptValue(forKey: key)
        parser = HTTPResponseParser(limits: limits)
    }

    /// Reads on in the server's answer.
    ///
    /// - Parameter bytes: What came behind the bytes of the previous call.
    /// - Returns: Whether the WebSocket is open.
    /// - Throws: ``WebSocketHandshakeError``; then the connection is of no use. Later calls are a
    ///   programmer error.
    public mutating func receive(_ bytes: RawSpan) throws(WebSocketHandshakeError) -> OnBytes {
        var consumed = 0
        while true {
            switch try parse(bytes.extracting(droppingFirst: consumed)) {
            case .needsMore: return .needsMore
            case .response(let head, let count):
                consumed += count
                if head.status.rawValue < 200, head.status != .switchingProtocols {
                    interimResponses += 1
                    guard interimResponses <= Self.interimResponsesMax else {
                        throw WebSocketHandshakeError(.excessiveInterimResponses)
                    }
                    continue
                }
                return .opened(try opening(head), consumed: consumed)
            }
        }
    }

    private mutating func parse(
        _ bytes: RawSpan
    ) throws(WebSocketHandshakeError) -> HTTPResponseParser.OnBytes {
        do throws(HTTPParseError) {
            return try parser.parse(bytes)
        } catch {
            throw WebSocketHandshakeError(.malformed(error))
        }
    }

    /// Checks a final response against every rule of RFC 6455 §4.1.
    private func opening(
        _ head: HTTPResponseHead
    ) throws(WebSocketHandshakeError) -> WebSocketOpening {
        guard head.status == .switchingProtocols else {
            switch head.status.rawValue {
            case 300...399:
                throw WebSocketHandshakeError(
                    .redirected(head.status, location: head.header("location")))
            default:
                throw WebSocketHandshakeError(
                    .refused(head.status), retryAfter: Self.retryAfter(of: head))
            }
        }
        guard head.version == .http11, isWebSocket(head),
            head.fields.lists("upgrade", in: .connection)
        else {
            throw WebSocketHandshakeError(.notAnUpgrade)
        }
        var accepts: [[UInt8]] = []
        head.fields.forEachValue(.webSocketAccept) { accepts.append(Array($0)) }
        guard accepts == [acceptValue] else { throw WebSocketHandshakeError(.accept) }
        let compression = try compression(of: head)
        let chosen = head.headers("sec-websocket-protocol")
        // By bytes: other texts may count as equal, a KELVIN SIGN as a K.
        let isOffered = chosen.allSatisfy { name in
            subprotocols.contains { $0.utf8.elementsEqual(name.utf8) }
        }
        guard chosen.count <= 1, isOffered else {
            throw WebSocketHandshakeError(.unofferedSubprotocol)
        }
        return WebSocketOpening(head: head, subprotocol: chosen.first, compression: compression)
    }

    /// The seconds of a `Retry-After`; `nil` where it is none, a date, or more than 32 bits hold.
    private static func retryAfter(of head: HTTPResponseHead) -> Duration? {
        guard let value = head.header("retry-after"),
            value.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let seconds = UInt32(value)
        else { return nil }
        return .seconds(Int64(seconds))
    }

    /// Checks what the server says of extensions (RFC 6455 §9.1, RFC 7692 §5.1).
    private func compression(
        of head: HTTPResponseHead
    ) throws(WebSocketHandshakeError) -> PerMessageDeflate? {
        var header = ExtensionHeader()
        head.fields.forEachValue(.webSocketExtensions) { header.add($0) }
        guard header.isWellFormed else {
            throw WebSocketHandshakeError(.compression(ExtensionError(.malformed)))
        }
        guard header.others == 0 else { throw WebSocketHandshakeError(.unofferedExtension) }
        guard let answer = header.deflate.first else { return nil }
        guard let offered else { throw WebSocketHandshakeError(.unofferedExtension) }
        guard header.deflate.count == 1 else {
            throw WebSocketHandshakeError(.compression(ExtensionError(.duplicateExtension)))
        }
        do throws(ExtensionError) {
            return try offered.checked(answer)
        } catch {
            throw WebSocketHandshakeError(.compression(error))
        }
    }

    /// Whether `Upgrade` says websocket and nothing else.
    private func isWebSocket(_ head: HTTPResponseHead) -> Bool {
        var values = 0
        var isRight = true
        head.fields.forEachValue(.upgrade) { value in
            values += 1
            isRight = isRight && HTTPSyntax.matches(value, "websocket")
        }
        return values == 1 && isRight
    }
}
