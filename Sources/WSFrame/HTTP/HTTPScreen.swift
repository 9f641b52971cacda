/// Looks at a request while its head still arrives, and may refuse it at once.
///
/// Called with each line as soon as it is complete and valid, the request line first. Returns `nil`
/// to read on, or the status to refuse with, from 400 to 599: then nothing more of the request is
/// read or held. What depends on several lines is better decided on the whole ``HTTPRequest``.
public typealias HTTPScreen = @Sendable (HTTPHeadLine) -> HTTPStatus?

/// One line of a request's head.
public enum HTTPHeadLine: Hashable, Sendable {
    case request(HTTPMethod, target: String)
    /// The name as it came; names mean the same in any case (RFC 9110 §5.1).
    case header(name: String, value: String)
}
