/// The two versions of HTTP/1 (RFC 9112 §2.3).
public enum HTTPVersion: Hashable, Sendable {
    case http10
    case http11
}
