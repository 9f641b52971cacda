import Testing
import WSFrame

@testable import HubWebhooks

@Suite("Answers to webhooks")
struct ReplyReaderTests {
    /// Reads an answer in pieces of so many bytes; `nil` where it is not complete.
    private func reply(_ text: String, by count: Int = .max) throws -> ReplyReader.Reply? {
        var reader = ReplyReader()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(count))
            rest = rest.dropFirst(piece.count)
            if let reply = try reader.read(piece.span.bytes) { return reply }
        }
        return nil
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, true),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, true),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201,
            true
        ),
        ("HTTP/1.1 500 No\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", 500, false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, false),
        ("HTTP/1.1 200 OK\r\n\r\n", 200, false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", 200, false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 200, false),
        ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", 200, false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 200, false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 200, false),
    ])
    func `an answer is read however it is cut, and tells whether its connection is of use`(
        text: String, status: UInt16, isReusable: Bool
    ) throws {
        for count in [1, 2, 3, 7, Int.max] {
            let reply = try #require(try reply(text, by: count))
            #expect(reply.status.rawValue == status)
            #expect(reply.isReusable == isReusable)
        }
    }

    @Test func `a body of the most bytes is read over`() throws {
        let body = String(repeating: "x", count: ReplyReader.bodyBytesMax)
        let text = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        #expect(try reply(text)?.isReusable == true)
    }

    @Test(arguments: [
        "zz\r\n", "2\r\nok!", "10001\r\n", "1;\(String(repeating: "x", count: 70_000))\r\n",
    ])
    func `a body that is broken or too long costs its connection, and the answer stands`(
        body: String
    ) throws {
        let reply = try reply("HTTP/1.1 202 A\r\nTransfer-Encoding: chunked\r\n\r\n\(body)")
        #expect(reply?.status == .accepted && reply?.isReusable == false)
    }

    @Test func `an answer whose body does not come to its end is heard`() throws {
        var reader = ReplyReader()
        let head = Array("HTTP/1.1 503 No\r\nContent-Length: 9\r\nRetry-After: 7\r\n".utf8)
        #expect(try reader.read(head.span.bytes) == nil)
        #expect(reader.heard == nil)
        let rest = Array("\r\nok".utf8)
        #expect(try reader.read(rest.span.bytes) == nil)
        #expect(reader.heard?.status == .serviceUnavailable)
        #expect(reader.heard?.retryAfter == .seconds(7) && reader.heard?.isReusable == false)
    }

    @Test func `more than the answer makes its connection useless`() throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"
        #expect(try reply(text)?.isReusable == false)
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 99 No\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 9) + "HTTP/1.1 200 OK\r\n\r\n",
    ])
    func `what is no answer is refused`(text: String) {
        #expect(throws: (any Error).self) { try reply(text) }
    }

    @Test func `as many interim answers as there may be are passed over`() throws {
        let interims = String(
            repeating: "HTTP/1.1 103 Hints\r\n\r\n", count: ReplyReader.interimsMax)
        #expect(try reply(interims + "HTTP/1.1 204 N\r\n\r\n")?.status == .noContent)
    }

    @Test(arguments: [("7", 7), ("0", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", nil), ("-1", nil)])
    func `it tells when to come again, in seconds`(value: String, seconds: Int?) throws {
        let text = "HTTP/1.1 503 No\r\nRetry-After: \(value)\r\nContent-Length: 0\r\n\r\n"
        #expect(try reply(text)?.retryAfter == seconds.map { .seconds($0) })
    }
}
