/// What a client asks for when it opens a WebSocket (RFC 6455 §4.1).
public struct WebSocketRequest: Hashable, Sendable {
    /// The host, and the port where it is not the scheme's, as `Host` is to say.
    public var host: String
    /// The path and query; `/` by default.
    public var target: String
    /// What to offer of `permessage-deflate` (RFC 7692); by default what the client is set to.
    public var compression: CompressionOffer
    /// What to offer in `Sec-WebSocket-Protocol`, the preferred first.
    public var subprotocols: [String]
    /// The value of `Origin`, or `nil` for none; browsers send it, other clients need not.
    public var origin: String?
    /// Sent as `Authorization`, or `nil` for none.
    public var credentials: BasicCredentials?
    /// More headers, such as cookies.
    public var headers: [HTTPHeader]

    /// Makes a request; each part but the host has a default.
    public init(
        host: String,
        target: String = "/",
        subprotocols: [String] = [],
        origin: String? = nil,
        credentials: BasicCredentials? = nil,
        compression: CompressionOffer = .asConfigured,
        headers: [HTTPHeader] = []
    ) {
        self.host = host
        self.target = target
        self.subprotocols = subprotocols
        self.origin = origin
        self.credentials = credentials
        self.compression = compression
        self.headers = headers
    }

    /// Encodes the request head, with `key` as `Sec-WebSocket-Key`.
    ///
    /// - Throws: ``WebSocketRequestError``, where a part could be read as something else.
    func encoded(key: [UInt8]) throws(WebSocketRequestError) -> [UInt8] {
        try check()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        bytes += "GET \(target) HTTP/1.1\r\nHost: \(host)\r\n".utf8
        bytes += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ".utf8
        bytes += key
        bytes += "\r\nSec-WebSocket-Version: 13\r\n".utf8
        if !subprotocols.isEmpty {
            bytes += "Sec-WebSocket-Protocol: \(subprotocols.joined(separator: ", "))\r\n".utf8
        }
        if let compression = compression.configuration {
            bytes += "Sec-WebSocket-Extensions: \(compression.offerValue)\r\n".utf8
        }
        if let origin { bytes += "Origin: \(origin)\r\n".utf8 }
        if let credentials { bytes += "Authorization: \(credentials.headerValue)\r\n".utf8 }
        for header in headers { HTTPResponse.append(header, to: &bytes) }
        bytes += "\r\n".utf8
        return bytes
    }

    private func check() throws(WebSocketRequestError) {
        compression.configuration?.check()
        guard !host.isEmpty, host.utf8.allSatisfy(Self.isVisible) else {
            throw WebSocketRequestError(.host)
        }
        guard target.utf8.first == UInt8(ascii: "/"), target.utf8.allSatisfy(Self.isVisible),
            !target.utf8.contains(UInt8(ascii: "#"))
        else {
            throw WebSocketRequestError(.target)
        }
        for name in subprotocols {
            guard !name.isEmpty, name.utf8.allSatisfy(HTTPSyntax.isTokenByte),
                subprotocols.filter({ $0 == name }).count == 1
            else { throw WebSocketRequestError(.subprotocols) }
        }
        guard origin?.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) ?? true else {
            throw WebSocketRequestError(.origin)
        }
        for header in headers {
            let name = header.name.lowercased()
            let isOurs =
                name == "host" || WebSocketUpgrade.isOfHandshake(name)
                || name == "origin" && origin != nil
                || name == "authorization" && credentials != nil
            guard !isOurs else { throw WebSocketRequestError(.header(header.name)) }
        }
    }

    private static func isVisible(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F }
}

/// A request that must not be sent, because the server would read something else.
public struct WebSocketRequestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The part that is wrong.
    public enum Reason: Hashable, Sendable {
        /// The host is empty or holds a byte that no host has.
        case host
        /// The target does not begin with a slash, or holds a byte that no URI has, or a fragment
        /// (RFC 6455 §3).
        case target
        /// A subprotocol is not a token, or is there twice (RFC 6455 §4.1).
        case subprotocols
        /// The origin holds a byte beyond ASCII or a control byte.
        case origin
        /// The handshake writes this header itself.
        case header(String)
    }

    public let reason: Reason

    public init(_ reason: Reason) {
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .host: "not a host"
        case .target: "the target is not a path"
        case .subprotocols: "the subprotocols are not different tokens"
        case .origin: "the origin is not printable ASCII"
        case .header(let name): "header \(name) is written by the handshake"
        }
    }
}
