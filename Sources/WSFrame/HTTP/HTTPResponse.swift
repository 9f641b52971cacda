/// A whole response (RFC 9112 §4).
public struct HTTPResponse: Hashable, Sendable {
    public var status: HTTPStatus
    /// Written in order.
    ///
    /// `Content-Length`, `Transfer-Encoding` and `Connection` are left out: the encoder writes its
    /// own.
    public var headers: [HTTPHeader]
    public var body: [UInt8]

    public init(status: HTTPStatus, headers: [HTTPHeader] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Makes a response of plain text.
    public init(status: HTTPStatus, text: String) {
        self.init(
            status: status,
            headers: [HTTPHeader("Content-Type", "text/plain; charset=utf-8")],
            body: Array(text.utf8)
        )
    }

    /// What becomes of the connection behind a response.
    public enum Persistence: Hashable, Sendable {
        /// Kept alive where the request allows it.
        case asRequested
        /// Closed, whatever was requested.
        case close
    }

    /// The answer to `Expect: 100-continue`: the body may come (RFC 9110 §15.2.1).
    public static var continueLine: StaticString { "HTTP/1.1 100 Continue\r\n\r\n" }

    /// Encodes the answer to `request`.
    ///
    /// - Parameters:
    ///   - request: Decides on keep-alive, and on leaving out the body (`HEAD`). Without one, as
    ///     after a ``HTTPParseError``, the connection is to be closed behind the response.
    ///   - persistence: Whether the request has a say in keep-alive.
    /// - Returns: Status line, headers and body.
    public func encoded(
        for request: HTTPRequest?, _ persistence: Persistence = .asRequested
    ) -> [UInt8] {
        encoded(for: request, persistence, date: nil)
    }

    /// As ``encoded(for:_:)``, with a `Date` (RFC 9110 §6.6.1) where there is none among the headers.
    package func encoded(
        for request: HTTPRequest?, _ persistence: Persistence, date: String?
    ) -> [UInt8] {
        let hasBody = sendsBody(to: request)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256 + (hasBody ? body.count : 0))
        appendHead(for: request, persistence, length: .counted(body.count), date: date, to: &bytes)
        if hasBody { bytes += body }
        return bytes
    }

    /// Whether the answer to `request` has its body behind its head (RFC 9110 §6.4.1).
    package func sendsBody(to request: HTTPRequest?) -> Bool {
        !status.isBodiless && request?.method != .head
    }

    /// How a body behind a response's head is delimited (RFC 9112 §6).
    package enum Length: Hashable, Sendable {
        case counted(Int)
        case chunked
        /// Until the connection is closed, for clients of HTTP/1.0.
        case untilClose
    }

    /// Appends status line and headers.
    package func appendHead(
        for request: HTTPRequest?, _ persistence: Persistence, length: Length, date: String?,
        to bytes: inout [UInt8]
    ) {
        appendStatusLine(to: &bytes)
        if let date, !headers.contains(where: { $0.name.lowercased() == "date" }) {
            bytes += "Date: \(date)\r\n".utf8
        }
        for header in headers where !Self.isFraming(header.name) {
            Self.append(header, to: &bytes)
        }
        if !status.isBodiless {
            switch length {
            case .counted(let count): bytes += "Content-Length: \(count)\r\n".utf8
            case .chunked: bytes += "Transfer-Encoding: chunked\r\n".utf8
            case .untilClose: break
            }
        }
        let keepsAlive =
            persistence == .asRequested && length != .untilClose && request?.keepsAlive ?? false
        bytes += (keepsAlive ? "Connection: keep-alive" : "Connection: close").utf8
        // An Upgrade header concerns this connection only, and Connection must say so (RFC 9110
        // §7.8).
        let offersUpgrade = headers.contains { $0.name.lowercased() == "upgrade" }
        bytes += (offersUpgrade ? ", Upgrade\r\n\r\n" : "\r\n\r\n").utf8
    }

    func appendStatusLine(to bytes: inout [UInt8]) {
        bytes += "HTTP/1.1 \(status.rawValue) \(status.reasonPhrase)\r\n".utf8
    }

    static func append(_ header: HTTPHeader, to bytes: inout [UInt8]) {
        bytes += header.name.utf8
        bytes += ": ".utf8
        bytes += header.value.utf8
        bytes += "\r\n".utf8
    }

    private static func isFraming(_ name: String) -> Bool {
        switch name.utf8.count {
        case 10: name.lowercased() == "connection"
        case 14: name.lowercased() == "content-length"
        case 17: name.lowercased() == "transfer-encoding"
        default: false
        }
    }
}
