import NetPollTesting
import Testing
import WSFrame

@Suite("HTTPRequestReader, RFC 9112 §6, §9.3")
struct HTTPRequestReaderTests {
    /// Every request in `text` with its body, and the error that ends it.
    private func said(
        _ text: String, limits: HTTPLimits = HTTPLimits(), pieceBytes: Int = 1 << 20
    ) -> [String] {
        let bytes = Array(text.utf8)
        var reader = HTTPRequestReader(limits: limits)
        var said: [String] = []
        var current = ""
        do throws(HTTPParseError) {
            for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
                let piece = Array(bytes[start..<min(start + pieceBytes, bytes.count)])
                var cursor = 0
                while let event = try reader.next(in: piece.span.bytes, at: &cursor) {
                    switch event {
                    case .head(let request): current = "\(request.method) \(request.target): "
                    case .body(let range): current += String(decoding: piece[range], as: UTF8.self)
                    case .end:
                        current += reader.trailers.map { " \($0.name)=\($0.value)" }.joined()
                        said.append(current)
                    }
                }
                #expect(cursor == piece.count)
            }
        } catch {
            said.append("\(error)")
        }
        return said
    }

    private static let many = """
        POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
        GET /2 HTTP/1.1\r\nHost: h\r\n\r\n\
        POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
        3;x\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n\
        PUT /4 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n\
        GET http://h/5?a HTTP/1.1\r\nHost: h\r\n\r\n
        """

    @Test(arguments: 1...40)
    func `requests and bodies are the same however they are cut`(pieceBytes: Int) {
        #expect(
            said(Self.many, pieceBytes: pieceBytes)
                == [
                    "POST /1: hello", "GET /2: ", "POST /3: abcd T=v", "PUT /4: ",
                    "GET http://h/5?a: ",
                ]
        )
    }

    @Test func `every byte is looked at, wherever the one cut is`() {
        let whole = said(Self.many)
        for cut in 1..<Self.many.utf8.count {
            let bytes = Array(Self.many.utf8)
            var reader = HTTPRequestReader()
            var events = 0
            for piece in [Array(bytes[..<cut]), Array(bytes[cut...])] {
                var cursor = 0
                // No throw is possible: the whole was read above.
                while let event = try? reader.next(in: piece.span.bytes, at: &cursor) {
                    if case .end = event { events += 1 }
                }
                #expect(cursor == piece.count)
            }
            #expect(events == whole.count)
        }
    }

    /// What a lenient reader would take for two requests: no second one may come out of it.
    @Test(arguments: [
        ("Content-Length: 5\r\nContent-Length: 0\r\n", "Content-Length"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length"),
        ("Content-Length: 5, 5\r\n", "Content-Length"),
        ("Content-Length: +5\r\n", "Content-Length"),
        ("Content-Length: 0x5\r\n", "Content-Length"), ("Content-Length: \r\n", "Content-Length"),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Transfer-Encoding"),
        ("Transfer-Encoding: xchunked\r\n", "coding"),
        ("Transfer-Encoding: chunked, x\r\n", "coding"),
        ("Transfer-Encoding: x, chunked\r\n", "coding"),
        ("Transfer-Encoding: \u{B}chunked\r\n", "control"),
        ("Transfer-Encoding : chunked\r\n", "colon"), ("Transfer-Encoding\t: chunked\r\n", "colon"),
        ("X: y\r\n Transfer-Encoding: chunked\r\n", "folded"),
        ("X: y\r\n\tz\r\n", "folded"), ("X: y\nTransfer-Encoding: chunked\r\n", "control"),
        ("X: y\rTransfer-Encoding: chunked\r\n", "control"), ("X: \0\r\n", "control"),
        ("Host: other\r\n", "Host"), (": x\r\n", "malformed"), ("Content-Length\r\n", "malformed"),
    ])
    func `nothing is smuggled behind a doubtful framing`(fields: String, why: String) {
        let text =
            "POST / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
            + "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
        for pieceBytes in [1, 1_000] {
            let outcome = said(text, pieceBytes: pieceBytes)
            #expect(outcome.count == 1)
            #expect(outcome.first?.contains(why) == true, "\(outcome)")
        }
    }

    @Test func `a longer body may be allowed to one request`() throws {
        var reader = HTTPRequestReader(limits: HTTPLimits(bodyBytesMax: 1))
        let bytes = Array("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc".utf8)
        var cursor = 0
        guard case .head(let request) = try reader.next(in: bytes.span.bytes, at: &cursor) else {
            Issue.record("no head")
            return
        }
        reader.limitBody(of: request, to: 3)
        guard case .body(let range) = try reader.next(in: bytes.span.bytes, at: &cursor) else {
            Issue.record("no body")
            return
        }
        #expect(range.count == 3 && !reader.isIdle)
        guard case .end = try reader.next(in: bytes.span.bytes, at: &cursor) else {
            Issue.record("no end")
            return
        }
        #expect(reader.isIdle)
    }
}
