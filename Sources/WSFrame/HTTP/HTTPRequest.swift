/// The head of a request (RFC 9112 §3, §5).
///
/// Holds the bytes as they came; names and values are slices of them, and strings are made on
/// demand.
public struct HTTPRequest: Sendable {
    /// How the body that follows the head is delimited (RFC 9112 §6).
    public enum Body: Hashable, Sendable {
        case none
        /// Exactly this many bytes, at least 1.
        case bytes(Int)
        /// The chunked transfer coding.
        case chunked
    }

    typealias Slice = HTTPFields.Slice
    typealias Field = HTTPFields.Field

    public let version: HTTPVersion
    public let body: Body
    /// Whether the client is willing to send another request on the connection (RFC 9112 §9.3).
    ///
    /// Whoever does not read the body cannot find the next request, and has to close.
    public let keepsAlive: Bool
    /// Whether the client waits for `100 Continue`, or a final answer, before it sends the body (RFC
    /// 9110 §10.1.1).
    public let expectsContinue: Bool
    private let fields: HTTPFields
    private let methodSlice: Slice
    private let targetSlice: Slice

    init(
        head: [UInt8],
        method: Slice,
        target: Slice,
        version: HTTPVersion,
        fields: [Field]
    ) throws(HTTPParseError) {
        self.fields = HTTPFields(head: head, fields: fields)
        self.version = version
        methodSlice = method
        targetSlice = target
        let framing = try HTTPFraming(
            head: head, target: target, fields: fields, version: version)
        body = framing.body
        keepsAlive = framing.keepsAlive
        expectsContinue = framing.expectsContinue
    }

    public var method: HTTPMethod { HTTPMethod(rawValue: string(methodSlice)) }

    /// Whether ``method`` is this one.
    package func isMethod(_ name: StaticString) -> Bool {
        withBytes(of: methodSlice) { HTTPSyntax.equals($0, name) }
    }

    /// The target as it came, such as `/chat?room=1`.
    public var target: String { string(targetSlice) }

    /// The target without its query, and without scheme and host if it has them; not
    /// percent-decoded.
    ///
    /// Never empty: `http://host` has the path `/` (RFC 9110 §4.2.3).
    public var path: String {
        withBytes(of: pathAndQuery) { bytes in
            let path = bytes.prefix { $0 != 0x3F }
            return path.isEmpty ? "/" : String(decoding: path, as: UTF8.self)
        }
    }

    /// What stands behind the first `?` of the target, not percent-decoded; `nil` if there is none.
    public var query: String? {
        withBytes(of: pathAndQuery) { bytes in
            bytes.firstIndex(of: 0x3F).map { String(decoding: bytes[($0 + 1)...], as: UTF8.self) }
        }
    }

    /// How many header lines there are.
    public var headersCount: Int { fields.count }

    /// The header line at `index`, in the order they came.
    public func header(at index: Int) -> (name: String, value: String) {
        fields.header(at: index)
    }

    /// The value of the first header line of this name, without regard to case.
    ///
    /// Complexity: O(head bytes).
    public func header(_ name: String) -> String? {
        fields.header(name)
    }

    /// The values of all header lines of this name, in the order they came.
    public func headers(_ name: String) -> [String] {
        fields.headers(name)
    }

    // MARK: - Bytes

    /// Calls `body` with the value of each header line of this name.
    @inline(__always)
    func forEachValue(_ name: HTTPFieldName, _ body: (UnsafeRawBufferPointer) -> Void) {
        fields.forEachValue(name, body)
    }

    /// Whether a header of this name lists `token`, which must be lowercase, without regard to case.
    func lists(_ token: StaticString, in name: HTTPFieldName) -> Bool {
        fields.lists(token, in: name)
    }

    private var pathAndQuery: Slice {
        withBytes(of: targetSlice) { target in
            guard target.first != 0x2F, let colon = target.firstIndex(of: 0x3A) else {
                return targetSlice
            }
            // Absolute form: the path begins at the first slash or question mark behind "://".
            let authority = target[min(colon + 3, target.count)...]
            let start = authority.firstIndex { $0 == 0x2F || $0 == 0x3F } ?? target.count
            return Slice(lower: targetSlice.lower + Int32(start), upper: targetSlice.upper)
        }
    }

    private func string(_ slice: Slice) -> String {
        fields.string(slice)
    }

    private func withBytes<R>(of slice: Slice, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        fields.withBytes(of: slice, body)
    }
}
