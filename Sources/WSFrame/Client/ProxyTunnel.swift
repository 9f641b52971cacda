/// Asks an HTTP proxy for a tunnel (CONNECT, RFC 9110 §9.3.6).
///
/// Says what to send and checks the answer; what follows the answer belongs to the tunnel.
public struct ProxyTunnel: Sendable {
    /// The outcome of ``receive(_:)``.
    public enum OnBytes: Sendable {
        /// All bytes are consumed, and the answer is not complete.
        case needsMore
        /// The tunnel stands; what follows `consumed` of the bytes came through it.
        case opened(consumed: Int)
    }

    /// The most interim responses (RFC 9110 §15.2) before the final one.
    private static let interimResponsesMax = 8

    /// The request to send.
    public let requestBytes: [UInt8]
    private var parser: HTTPResponseParser
    private var interimResponses = 0

    /// - Parameters:
    ///   - authority: Host and port to connect to, such as `example.com:80`.
    ///   - credentials: Sent as `Proxy-Authorization`; the server at the far end does not see them.
    ///   - limits: Bounds of the answer's head.
    /// - Throws: ``WebSocketRequestError``, where `authority` is not `host:port`.
    public init(
        to authority: String,
        credentials: BasicCredentials? = nil,
        limits: HTTPLimits = HTTPLimits()
    ) throws(WebSocketRequestError) {
        guard authority.utf8.contains(UInt8(ascii: ":")),
            authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2F })
        else { throw WebSocketRequestError(.host) }
        var text = "CONNECT \(authority) HTTP/1.1\r\nHost: \(authority)\r\n"
        if let credentials { text += "Proxy-Authorization: \(credentials.headerValue)\r\n" }
        requestBytes = Array((text + "\r\n").utf8)
        parser = HTTPResponseParser(limits: limits)
    }

    /// Reads on in the proxy's answer.
    ///
    /// - Parameter bytes: What came behind the bytes of the previous call.
    /// - Returns: Whether the tunnel stands.
    /// - Throws: ``WebSocketHandshakeError``. Later calls are a programmer error.
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
                guard (200...299).contains(head.status.rawValue) else {
                    throw WebSocketHandshakeError(.refusedByProxy(head.status))
                }
                return .opened(consumed: consumed)
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
}
