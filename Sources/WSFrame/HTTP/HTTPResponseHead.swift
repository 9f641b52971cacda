/// The head of a response as a client receives it (RFC 9112 §4, §5).
public struct HTTPResponseHead: Sendable {
    public let version: HTTPVersion
    public let status: HTTPStatus
    let fields: HTTPFields

    /// How many header lines there are.
    public var headersCount: Int { fields.count }

    /// The header line at `index`, in the order they came.
    public func header(at index: Int) -> (name: String, value: String) {
        fields.header(at: index)
    }

    /// The value of the first header line of this name, without regard to case.
    ///
    /// Complexity: O(head bytes).
    public func header(_ name: String) -> String? { fields.header(name) }

    /// The values of all header lines of this name, in the order they came.
    public func headers(_ name: String) -> [String] { fields.headers(name) }
}
