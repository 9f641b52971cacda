/// A text that is no URL to connect to.
public struct WebSocketURLError: Error, Hashable, Sendable {
    /// The part that is wrong.
    public enum Reason: Hashable, Sendable {
        /// Another scheme than the wanted one, or none.
        case scheme(String)
        /// The scheme, `wss` or `https`, asks for TLS, which is not there yet.
        case needsTLS(scheme: String)
        /// A control character, a space, a byte beyond ASCII or one that no URL has (RFC 3986 §2).
        case character(UInt8, offset: Int)
        /// A percent sign without two hexadecimal digits (RFC 3986 §2.1).
        case percentEncoding(offset: Int)
        /// A fragment has no meaning here and must not be used (RFC 6455 §3).
        case fragment
        /// A user or password that Basic credentials cannot carry (RFC 7617 §2): control characters,
        /// no UTF-8, a user with a colon.
        case userinfo
        /// No host, or one that is neither a name, nor four numbers, nor IPv6 in brackets.
        case host
        /// The port is no number from 1 to 65,535.
        case port
        /// A path or query where none is of use, as in a proxy's URL.
        case target
    }

    public let reason: Reason

    public init(_ reason: Reason) {
        self.reason = reason
    }
}

extension WebSocketURLError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .scheme(let scheme):
            scheme.isEmpty
                ? "the URL has no scheme"
                : "the URL's scheme \(scheme.debugDescription) is not known"
        case .needsTLS(let scheme): "the URL's scheme \(scheme) needs TLS, which is not supported"
        case .character(let byte, let offset):
            "byte 0x\(String(byte, radix: 16)) at \(offset) stands in no URL"
        case .percentEncoding(let offset):
            "the percent sign at \(offset) of the URL has no two hexadecimal digits"
        case .fragment: "the URL has a fragment"
        case .userinfo: "the URL's user or password cannot be sent as Basic credentials"
        case .host: "the URL has no valid host"
        case .port: "the URL's port is not from 1 to 65535"
        case .target: "the URL has a path"
        }
    }
}
