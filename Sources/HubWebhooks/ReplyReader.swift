import WSFrame

/// Reads the answer to one request (RFC 9112 §4, §6), and forgets its body.
///
/// Performs no I/O. Once the head is read the answer stands: what is wrong with the body, or missing,
/// only makes the connection useless. One that is long, or whose end only the connection's end tells, is
/// not read.
struct ReplyReader: Sendable {
    /// The longest body that is read over.
    static let bodyBytesMax = 64 << 10
    /// Interim answers (RFC 9110 §15.2) before the final one.
    static let interimsMax = 8

    /// An answer.
    struct Reply: Hashable, Sendable {
        let status: HTTPStatus
        /// When to come again, in whole seconds.
        let retryAfter: Duration?
        /// Whether another request may be sent on the connection.
        let isReusable: Bool

        /// The same on a connection of no further use.
        var last: Reply { Reply(status: status, retryAfter: retryAfter, isReusable: false) }
    }

    private enum State: Sendable {
        case head(HTTPResponseParser)
        case body(HTTPBodyDecoder, Reply)
    }

    private var state = State.head(HTTPResponseParser())
    private var interims = 0

    /// The answer, where only its body is not complete; its connection is of no further use.
    var heard: Reply? {
        guard case .body(_, let reply) = state else { return nil }
        return reply.last
    }

    /// Reads on.
    ///
    /// - Returns: The answer once it is complete.
    /// - Throws: `HTTPParseError` and ``ReplyError``, for a head that is none.
    mutating func read(_ bytes: RawSpan) throws -> Reply? {
        var cursor = 0
        while true {
            let rest = bytes.extracting(cursor..<bytes.byteCount)
            switch state {
            case .head(var parser):
                guard case .response(let head, let consumed) = try parser.parse(rest) else {
                    state = .head(parser)
                    return nil
                }
                cursor += consumed
                guard head.status.rawValue >= 200 else {
                    interims += 1
                    guard interims <= Self.interimsMax, head.status.rawValue != 101 else {
                        throw ReplyError.unasked
                    }
                    state = .head(HTTPResponseParser())
                    continue
                }
                guard let body = Self.body(after: head) else {
                    return Self.reply(head, isReusable: false)
                }
                state = .body(
                    HTTPBodyDecoder(body, bodyBytesMax: Self.bodyBytesMax),
                    Self.reply(head, isReusable: Self.keepsAlive(head)))
            case .body(var decoder, let reply):
                do throws(HTTPParseError) {
                    guard try Self.isOver(&decoder, bytes, &cursor) else {
                        state = .body(decoder, reply)
                        return nil
                    }
                } catch {
                    // It was answered all the same: told again it would be answered so again.
                    return reply.last
                }
                // More than was asked for is no answer to anything.
                return cursor == bytes.byteCount ? reply : reply.last
            }
        }
    }

    /// Reads over a body.
    private static func isOver(
        _ decoder: inout HTTPBodyDecoder, _ bytes: RawSpan, _ cursor: inout Int
    ) throws(HTTPParseError) -> Bool {
        while let event = try decoder.next(in: bytes, at: &cursor) {
            if event == .end { return true }
        }
        return false
    }

    /// How the body is delimited; `nil` where it is not worth being read, or only the connection's end
    /// tells.
    private static func body(after head: HTTPResponseHead) -> HTTPRequest.Body? {
        let status = head.status.rawValue
        if status == 204 || status == 304 { return HTTPRequest.Body.none }
        let codings = head.headers("Transfer-Encoding")
        let lengths = head.headers("Content-Length")
        if !codings.isEmpty {
            let isChunked = codings.count == 1 && codings[0].lowercased() == "chunked"
            return isChunked && lengths.isEmpty ? .chunked : nil
        }
        guard lengths.count == 1, lengths[0].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(lengths[0]), length <= bodyBytesMax
        else { return nil }
        return length == 0 ? HTTPRequest.Body.none : .bytes(length)
    }

    private static func keepsAlive(_ head: HTTPResponseHead) -> Bool {
        head.version == .http11
            && !head.headers("Connection").contains { value in
                value.lowercased().split(separator: ",").contains {
                    $0.filter { $0 != " " && $0 != "\t" } == "close"
                }
            }
    }

    private static func reply(_ head: HTTPResponseHead, isReusable: Bool) -> Reply {
        // The other form, a date (RFC 9110 §10.2.3), is passed over.
        let seconds = head.header("Retry-After").flatMap { UInt32($0) }
        return Reply(
            status: head.status, retryAfter: seconds.map { .seconds(Int64($0)) },
            isReusable: isReusable)
    }
}

/// An answer that cannot be used.
enum ReplyError: Error, Hashable, Sendable {
    /// More than one answers, or a change of protocol that nobody asked for.
    case unasked
    /// The connection ended before the answer was complete.
    case incomplete
    /// No answer came in time.
    case late
}
