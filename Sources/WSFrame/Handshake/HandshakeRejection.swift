/// A request that asks for no WebSocket connection, or for one that cannot be had (RFC 6455
/// §4.2.2).
public struct HandshakeRejection: Error, Hashable, Sendable, CustomStringConvertible {
    /// The rule of RFC 6455 §4.2.1 that was broken.
    public enum Reason: Hashable, Sendable {
        /// The method is not GET.
        case method
        /// The version is below HTTP/1.1.
        case httpVersion
        /// `Upgrade` does not list `websocket`, or `Connection` does not list `Upgrade`.
        case notAnUpgrade
        /// `Sec-WebSocket-Version` is missing or not 13, as in the drafts.
        case version
        /// `Sec-WebSocket-Version` is there twice (RFC 6455 §11.3.5).
        case duplicateVersion
        /// `Sec-WebSocket-Key` is missing, there twice, or not base64 of 16 bytes.
        case key
        /// `Sec-WebSocket-Protocol` is not a list of tokens.
        case subprotocols
        /// `Sec-WebSocket-Extensions` is not a list of extensions with parameters (RFC 6455 §9.1).
        case extensions
        /// `Origin` names a page that may not open a WebSocket here (RFC 6455 §10.2).
        case origin
        /// The request has a body; what follows it could be taken for frames.
        case body
    }

    public let reason: Reason

    public init(_ reason: Reason) {
        self.reason = reason
    }

    /// The status to answer with.
    public var status: HTTPStatus {
        switch reason {
        case .method: .methodNotAllowed
        case .notAnUpgrade, .version: .upgradeRequired
        case .origin: .forbidden
        case .httpVersion, .duplicateVersion, .key, .subprotocols, .extensions, .body:
            .badRequest
        }
    }

    /// The answer, with the headers that its status asks for; close the connection behind it.
    public var response: HTTPResponse {
        var response = HTTPResponse(status: status, text: description + "\n")
        switch status {
        case .methodNotAllowed:
            response.headers.append(HTTPHeader("Allow", "GET"))
        case .upgradeRequired:
            response.headers.append(HTTPHeader("Upgrade", "websocket"))
            response.headers.append(HTTPHeader("Sec-WebSocket-Version", "13"))
        default: break
        }
        return response
    }

    public var description: String {
        switch reason {
        case .method: "a WebSocket is opened with GET"
        case .httpVersion: "a WebSocket is opened with HTTP/1.1"
        case .notAnUpgrade: "not a WebSocket upgrade"
        case .version: "WebSocket version is not 13"
        case .duplicateVersion: "more than one Sec-WebSocket-Version"
        case .key: "Sec-WebSocket-Key is not base64 of 16 bytes"
        case .subprotocols: "Sec-WebSocket-Protocol is not a list of tokens"
        case .extensions: "Sec-WebSocket-Extensions is malformed"
        case .origin: "origin not allowed"
        case .body: "a WebSocket is opened without a request body"
        }
    }
}
