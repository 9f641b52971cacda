import Testing
import WSFrame

@Suite("HTTPResponse, RFC 9112 §4")
struct HTTPResponseTests {
    private func encoded(_ response: HTTPResponse, for head: String? = nil) throws -> String {
        let request = try head.map { try parsed($0) }
        return String(decoding: response.encoded(for: request), as: UTF8.self)
    }

    @Test func `status line, headers, length and body are written`() throws {
        let response = HTTPResponse(
            status: .ok, headers: [HTTPHeader("Content-Type", "text/html")], body: Array("hi".utf8))
        #expect(
            try encoded(response, for: "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                == "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n"
                + "Connection: keep-alive\r\n\r\nhi")
        #expect(try encoded(response).contains("Connection: close\r\n\r\nhi"))
    }

    @Test func `HEAD is answered without the body but with its length`() throws {
        let response = HTTPResponse(status: .ok, text: "hello")
        let text = try encoded(response, for: "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(text.contains("Content-Length: 5\r\n"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test(arguments: [.noContent, .notModified] as [HTTPStatus])
    func `a status without a body has no length`(status: HTTPStatus) throws {
        let text = try encoded(HTTPResponse(status: status, body: [1, 2]))
        #expect(!text.contains("Content-Length"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test func `framing headers of the application are left out`() throws {
        let response = HTTPResponse(
            status: .ok,
            headers: [
                HTTPHeader("content-length", "99"), HTTPHeader("Connection", "upgrade"),
                HTTPHeader("Transfer-Encoding", "chunked"), HTTPHeader("X", "y"),
            ])
        #expect(
            try encoded(response)
                == "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }

    @Test(arguments: ["a\r\nSet-Cookie: x", "a\nb", "a\rb", "a\0b", "\u{7F}"])
    func `a value that would break the line is refused (CVE-2026-1527)`(value: String) {
        let error = #expect(throws: HTTPHeaderError.self) {
            _ = try HTTPHeader(name: "X-Echo", value: value)
        }
        #expect(error == HTTPHeaderError(.invalidValue, header: "X-Echo"))
    }

    @Test(arguments: ["", "a b", "a:", "a\r\n", "é"])
    func `a name that is no token is refused`(name: String) {
        let error = #expect(throws: HTTPHeaderError.self) {
            _ = try HTTPHeader(name: name, value: "v")
        }
        #expect(error?.reason == .invalidName)
    }

    @Test func `text and tabs are fine in a value`() throws {
        #expect(try HTTPHeader(name: "X", value: "a\tb é").value == "a\tb é")
    }

    @Test func `an error has an answer`() throws {
        let text = try encoded(HTTPParseError(.oversizedHead(max: 5)).response)
        #expect(text.hasPrefix("HTTP/1.1 431 Request Header Fields Too Large\r\n"))
        #expect(text.contains("Connection: close\r\n"))
    }
}
