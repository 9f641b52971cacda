/// Which pages may open a WebSocket from a browser (RFC 6455 §10.2).
///
/// A browser sends cookies with the handshake whichever page asks for it; without this check any
/// page could speak in its visitor's name. Clients that are not browsers send no `Origin` and are
/// let in by every policy: they could send any.
public enum OriginPolicy: Hashable, Sendable {
    /// Only pages from the host and port that the request itself is for.
    ///
    /// What the request is for is what its `Host` says, whatever name that is: a page whose own name was made
    /// to lead to this server (DNS rebinding) is of the same origin. Where that matters, as in a network that
    /// the server trusts, take requests for its own names only, or name its origins.
    case sameOrigin
    /// Only these origins, written as a browser does: `https://example.org`, without a slash at
    /// the end; the port only if it is not the scheme's own.
    case allowed(Set<String>)
    /// Every page.
    case any

    /// Decides on a handshake by its `Origin` and `Host` header fields.
    public func admits(_ request: HTTPRequest) -> Bool {
        admits(origin: request.header("Origin"), host: request.header("Host"))
    }

    package func admits(origin: String?, host: String?) -> Bool {
        guard let origin else { return true }
        if self == .any { return true }
        // Browsers send ASCII (RFC 6454 §6.1). Anything else would be normalised to be compared, in
        // quadratic time.
        guard Self.isPlain(origin), Self.isPlain(host ?? "") else { return false }
        switch self {
        case .any:
            return true
        case .allowed(let origins):
            return origins.contains(origin.lowercased())
        case .sameOrigin:
            guard let host, let page = Authority(origin: origin) else { return false }
            return page.matches(host: host)
        }
    }

    private static func isPlain(_ text: String) -> Bool {
        text.utf8.count <= 512 && text.utf8.allSatisfy { $0 < 0x80 }
    }
}

/// The host and port of an origin, and the scheme that supplies the port when it is missing.
private struct Authority {
    private static let defaultPorts = ["http": "80", "https": "443"]

    private let host: String
    private let defaultPort: String

    init?(origin: String) {
        let origin = origin.lowercased()
        guard let separator = origin.firstRange(of: "://"),
            let port = Self.defaultPorts[String(origin[..<separator.lowerBound])],
            separator.upperBound < origin.endIndex
        else { return nil }
        host = String(origin[separator.upperBound...])
        defaultPort = port
    }

    /// Compares with a `Host` field; the default port counts whether or not it is written.
    func matches(host other: String) -> Bool {
        let other = other.lowercased()
        return withPort(host) == withPort(other)
    }

    private func withPort(_ authority: String) -> String {
        // The colons of an IPv6 address are inside brackets.
        let tail = authority.lastIndex(of: "]").map { authority[$0...] } ?? authority[...]
        return tail.contains(":") ? authority : "\(authority):\(defaultPort)"
    }
}
