import WSFrame

/// Feeds `bytes` in pieces; the request, if they complete one.
func feed(
    _ bytes: [UInt8],
    to parser: inout HTTPRequestParser,
    pieceBytes: Int
) throws(HTTPParseError) -> HTTPRequest? {
    for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
        let piece = Array(bytes[start..<min(start + pieceBytes, bytes.count)])
        if case .request(let request, _) = try parser.parse(piece.span.bytes) { return request }
    }
    return nil
}

struct IncompleteHead: Error {}

/// The request whose whole head is `head`.
func parsed(
    _ head: String, pieceBytes: Int = 100_000, limits: HTTPLimits = HTTPLimits()
) throws -> HTTPRequest {
    var parser = HTTPRequestParser(limits: limits)
    guard let request = try feed(Array(head.utf8), to: &parser, pieceBytes: pieceBytes) else {
        throw IncompleteHead()
    }
    return request
}

/// Why `head` is refused, or `nil`.
func refusal(of head: String, pieceBytes: Int = 100_000) -> HTTPParseError.Reason? {
    var parser = HTTPRequestParser()
    do throws(HTTPParseError) {
        _ = try feed(Array(head.utf8), to: &parser, pieceBytes: pieceBytes)
        return nil
    } catch {
        return error.reason
    }
}

/// What became of `bytes`, in a form to compare.
func outcome(
    of bytes: [UInt8], pieceBytes: Int, limits: HTTPLimits = HTTPLimits()
) -> String {
    var parser = HTTPRequestParser(limits: limits)
    do throws(HTTPParseError) {
        guard let request = try feed(bytes, to: &parser, pieceBytes: pieceBytes) else {
            return "incomplete"
        }
        let headers = (0..<request.headersCount).map { request.header(at: $0) }
        return "\(request.method) \(request.target) \(request.version) \(headers) \(request.body)"
    } catch {
        return "\(error)"
    }
}

/// Upgrade requests, right or with one thing wrong.
enum HandshakeFixture {
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="

    /// The request of RFC 6455 §1.2; a header given replaces the one of its name, `nil` removes it.
    static func request(
        line: String = "GET /chat HTTP/1.1",
        replacing changes: [String: String?] = [:],
        adding: [(String, String)] = []
    ) -> String {
        let headers: [(String, String)] = [
            ("Host", "server.example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key), ("Origin", "http://example.com"),
            ("Sec-WebSocket-Protocol", "chat, superchat"), ("Sec-WebSocket-Version", "13"),
        ]
        var text = line + "\r\n"
        for (name, value) in headers + adding {
            switch changes[name] {
            case .some(.some(let other)): text += "\(name): \(other)\r\n"
            case .some(.none): continue
            case .none: text += "\(name): \(value)\r\n"
            }
        }
        return text + "\r\n"
    }
}
