/// An answer that opens no WebSocket (RFC 6455 §4.1); close the connection.
public struct WebSocketHandshakeError: Error, Hashable, Sendable {
    /// The rule that was broken, or what the server said instead.
    public enum Reason: Hashable, Sendable {
        /// The answer cannot be read, or is larger than ``HTTPLimits`` allow.
        case malformed(HTTPParseError)
        /// The server points elsewhere (status 3xx). It is not followed: the request may carry
        /// credentials, and the other place may be anyone's.
        case redirected(HTTPStatus, location: String?)
        /// The server answered with this status.
        case refused(HTTPStatus)
        /// Status 101 without HTTP/1.1, `Upgrade: websocket` and `Connection: Upgrade`.
        case notAnUpgrade
        /// `Sec-WebSocket-Accept` is missing, there twice, or not the one for our key.
        case accept
        /// The server chose a subprotocol that was not offered, or more than one.
        case unofferedSubprotocol
        /// The server agreed to an extension that was not offered.
        case unofferedExtension
        /// The server's answer about compression is not one to what was offered.
        case compression(ExtensionError)
        /// More interim responses (1xx) than anybody needs.
        case excessiveInterimResponses
        /// The proxy answered CONNECT with this status (RFC 9110 §9.3.6).
        case refusedByProxy(HTTPStatus)
    }

    public let reason: Reason
    /// How long the server asks to wait before the next attempt, where its refusal says so in seconds
    /// (`Retry-After`, RFC 9110 §10.2.3); a date is passed over.
    public let retryAfter: Duration?

    public init(_ reason: Reason, retryAfter: Duration? = nil) {
        self.reason = reason
        self.retryAfter = retryAfter
    }
}

extension WebSocketHandshakeError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .malformed(let error): "malformed answer: \(error)"
        case .redirected(let status, let location):
            "redirected with \(status) to \(location?.debugDescription ?? "nowhere")"
        case .refused(let status): "refused with \(status) \(status.reasonPhrase)"
        case .notAnUpgrade: "status 101 does not upgrade to a WebSocket"
        case .accept: "Sec-WebSocket-Accept does not answer the key"
        case .unofferedSubprotocol: "the server chose a subprotocol that was not offered"
        case .unofferedExtension: "the server chose an extension that was not offered"
        case .compression(let error): error.description
        case .excessiveInterimResponses: "more than 8 interim responses"
        case .refusedByProxy(let status): "the proxy refused with \(status) \(status.reasonPhrase)"
        }
    }
}
